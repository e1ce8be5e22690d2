"""Attacks on what is outside, on the next program and through the kernel, beside those of the probe.

Where nothing stops them they clean up after themselves: they are run at the weakest level, too.
"""

import contextlib
import os
import socket

from hm_tasks.sandbox.isolation.limits import Limits
from hm_tasks.sandbox.isolation.probe import PROBE, Attack
from hm_tasks.sandbox.isolation.prove import planted, run_programs

BREAKOUTS = (
    Attack("list_outside", "list a folder outside", "SL", "got = os.listdir(planted['folder'])"),
    Attack(
        "change_mode_outside",
        "change modes and times of files outside",
        "SL",
        "os.chmod(planted['secret'], 0o666); os.utime(planted['secret']); got = True",
    ),
    Attack(
        "truncate_outside",
        "truncate a file outside, also by opening it to read",
        "SL",
        "os.close(os.open(planted['secret'], os.O_RDONLY | os.O_TRUNC)); got = True",
    ),
    Attack(
        "change_python",
        "change Python's own files",
        "SL",
        "open(planted['hidden'] + '.new', 'w').write('x'); got = True",
    ),
    Attack(
        "proc_environment",
        "read the environments of other processes in /proc",
        "SL",
        """
        for pid in (1, planted['judge'], os.getppid()):
            try:
                got = got or open(f'/proc/{pid}/environ', 'rb').read()
            except OSError:
                pass
        """,
    ),
    Attack(
        "udp",
        "send a UDP packet to this machine",
        "SL",
        """
        import socket
        got = socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', planted['udp']))
        """,
    ),
    Attack(
        "unix",
        "connect to a Unix socket by its path",
        "SL",
        """
        import socket
        socket.socket(socket.AF_UNIX).connect(planted['unix']); got = True
        """,
    ),
    Attack(
        "pair_to_socket",
        "send from one of a pair of sockets to another one",
        "SL",
        """
        import socket
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        got = one.sendto(b'x', '\\0' + planted['abstract_datagram'])
        """,
    ),
    Attack(
        "kill_all",
        "signal all processes, also by a raw system call",
        "SL",
        "got = call('kill', -1, 0) == 0",
    ),
    Attack(
        "signal_by_pipe",
        "have the kernel signal the runner when a pipe is ready",
        "SL",
        """
        import fcntl
        fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid()); got = True
        """,
    ),
    Attack(
        "runner_limits",
        "look at or change the limits of the runner",
        "SL",
        """
        import resource
        got = resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)
        """,
    ),
    Attack(
        "pidfd",
        "get a handle of the runner",
        "SL",
        "got = call('pidfd_open', os.getppid(), 0) >= 0",
    ),
    Attack(
        "read_memory",
        "read the runner's memory",
        "SL",
        """
        import struct
        there, here = ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)
        of = lambda b: ctypes.create_string_buffer(struct.pack('QQ', ctypes.addressof(b), 8))
        got = call('process_vm_readv', os.getppid(), of(here), 1, of(there), 1, 0) == 8
        """,
    ),
    Attack(
        "many_processes",
        "start 200 processes",
        "SL",
        """
        import time
        for number in range(200):
            if os.fork() == 0:
                time.sleep(20)
                os._exit(0)
        got = True
        """,
    ),
    Attack(
        "leave_deep",
        "leave folders too deep to remove",
        "SLR",
        """
        for number in range(1500):
            os.mkdir('d' * 200)
            os.chdir('d' * 200)
        """,
        "got = os.listdir('.')",
    ),
    Attack(
        "leave_shared",
        "leave shared memory (System V) for the next program",
        "SL",
        "call('shmget', planted['key'], 4096, 0o1600)",
        """
        made = call('shmget', planted['key'], 4096, 0o600)
        got = made >= 0
        libc.shmctl(made, 0, None)
        """,
    ),
    Attack(
        "leave_posix_shared",
        "leave shared memory (POSIX) for the next program",
        "SL",
        "open('/dev/shm/' + planted['abstract'], 'w').close()",
        "os.remove('/dev/shm/' + planted['abstract']); got = True",
    ),
    Attack(
        "leave_key",
        "leave a key in a keyring",
        "SL",
        "got = call('add_key', b'user', b'hindsight', b'x', 1, -2) >= 0",
    ),
    Attack(
        "many_files",
        "fill the scratch folder with 128 MiB",
        "S",
        """
        for number in range(16):
            open(str(number), 'wb').write(bytes(8 << 20))
        got = True
        """,
    ),
    Attack(
        "mount",
        "mount a file system",
        "SL",
        """
        got = libc.mount(b'none', b'.', b'tmpfs', 0, None) == 0
        libc.umount2(os.getcwd().encode(), 2)
        """,
    ),
    Attack("chroot", "change the root folder", "SL", "os.chroot('.'); got = True"),
    Attack(
        "bpf",
        "make a BPF map",
        "SL",
        """
        import struct
        made = struct.pack('IIII', 2, 4, 4, 1).ljust(120, b'\\0')
        got = call('bpf', 0, ctypes.create_string_buffer(made), 120) >= 0
        """,
    ),
    Attack("userfaultfd", "handle page faults", "SL", "got = call('userfaultfd', 1) >= 0"),
    Attack(
        "perf",
        "watch performance counters",
        "SL",
        """
        import struct
        what = struct.pack('IIQ', 1, 112, 0).ljust(112, b'\\0')
        got = call('perf_event_open', ctypes.create_string_buffer(what), 0, -1, -1, 0) >= 0
        """,
    ),
    Attack(
        "shell",
        "run /bin/sh in place of Python",
        "SL",
        "os.execv('/bin/sh', ['sh', '-c', f'echo got >&{report}'])",
    ),
    Attack(
        "memory_file",
        "run a program that is only in memory",
        "SL",
        """
        made = os.memfd_create('x', 0)
        os.write(made, f'#!/bin/sh\\necho got >&{report}\\n'.encode())
        os.execve(made, ['x'], {})
        """,
    ),
)
ATTACKS = {attack.name: attack for attack in (*PROBE, *BREAKOUTS)}


def try_attacks(level: str) -> dict[str, str]:
    """Run all attacks at a level: for each "got", or what stopped it."""
    programs = {name: attack.programs for name, attack in ATTACKS.items()}
    with planted() as found, contextlib.ExitStack() as stack:
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(path := os.path.join(found["folder"], "socket"))
        unix.listen()
        datagram = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        datagram.bind("\0" + (name := found["abstract"] + "-datagram"))
        key = int.from_bytes(os.urandom(3), "big") + 1
        more = {"udp": udp.getsockname()[1], "unix": path, "abstract_datagram": name, "key": key}
        return run_programs(level, programs, found | more, Limits())
