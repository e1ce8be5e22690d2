"""Programs that try to break out, and which level claims to stop each.

Each is run as a model's program would be, with a few names given to it: `planted` (where to find
what it must not), `libc`, `call(name, ...)` for raw system calls and `report`, a descriptor. It
succeeds by setting `got` to something true; an exception or a killed process is a defence that
held. Where there are two programs, the second runs after the clean-up of the first.

Sources: the man pages of the calls that are tried.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple


class Attack(NamedTuple):
    """One way out."""

    title: str
    stopped_by: str  # the levels that claim to, by their first letters
    programs: tuple[str, ...]


# Of calls that only attacks do: x86_64, aarch64.
CALLS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "memfd_create": (319, 279),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pidfd_open": (434, 434),
    "process_vm_readv": (310, 270),
    "shmget": (29, 194),
    "mq_open": (240, 180),
    "socket": (41, 198),
    "kill": (62, 129),
    "clone3": (435, 435),
    "userfaultfd": (323, 282),
}

ATTACKS: dict[str, Attack] = {}


def _add(name: str, title: str, stopped_by: str, *programs: str) -> None:
    ATTACKS[name] = Attack(title, stopped_by, tuple(textwrap.dedent(p) for p in programs))


_add("write_outside", "write a file outside the scratch folder", "SL",
     "open(planted['folder'] + '/new', 'w').write('x'); got = True")
_add("read_outside", "read a file outside Python's folders", "SL",
     "got = open(planted['secret']).read()")
_add("read_hidden", "read a hidden file inside Python's folders", "SL",
     "got = open(planted['hidden']).read()")
_add("list_outside", "list a folder outside", "SL", "got = os.listdir(planted['folder'])")
_add("see_outside", "learn whether a file outside exists, and its size", "S",
     "got = os.stat(planted['secret']).st_size")
_add("change_mode_outside", "change modes and times of files outside", "SL",
     "os.chmod(planted['secret'], 0o666); os.utime(planted['secret']); got = True")
_add("truncate_outside", "truncate a file outside, also by opening it to read", "SL",
     "os.close(os.open(planted['secret'], os.O_RDONLY | os.O_TRUNC)); got = True")
_add("change_python", "change Python's own files", "SL",
     "open(planted['hidden'] + '.new', 'w').write('x'); got = True")
_add("environment", "find a secret in the environment", "SLR",
     "got = planted['variable'] in os.environ")
_add("proc_environment", "read the environments of other processes in /proc", "SL", """
    for pid in (1, planted['judge'], os.getppid()):
        try:
            got = got or open(f'/proc/{pid}/environ', 'rb').read()
        except OSError:
            pass
    """)
_add("proc_memory", "open the runner's memory in /proc", "SL",
     "open(f'/proc/{os.getppid()}/mem', 'rb').close(); got = True")
_add("tcp", "connect to a TCP server of this machine", "SL", """
    import socket
    socket.create_connection(('127.0.0.1', planted['tcp']), 2).close(); got = True
    """)
_add("udp", "send a UDP packet to this machine", "SL", """
    import socket
    got = socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', planted['udp']))
    """)
_add("unix", "connect to a Unix socket by its path", "SL", """
    import socket
    socket.socket(socket.AF_UNIX).connect(planted['unix']); got = True
    """)
_add("abstract", "connect to an abstract Unix socket", "SL", """
    import socket
    socket.socket(socket.AF_UNIX).connect('\\0' + planted['abstract']); got = True
    """)
_add("pair_to_socket", "send from one of a pair of sockets to another one", "SL", """
    import socket
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    got = one.sendto(b'x', '\\0' + planted['abstract_datagram'])
    """)
_add("raw_socket_call", "open a socket by a raw system call", "SL",
     "got = call('socket', 2, 1, 0) >= 0")
_add("kill_judge", "signal the process that started the runner", "SL",
     "pid = planted['judge']; os.kill(pid, 0); got = pid != os.getpid()")
_add("kill_runner", "signal the runner", "SL", "os.kill(os.getppid(), 0); got = True")
_add("kill_all", "signal all processes, also by a raw system call", "SL",
     "got = call('kill', -1, 0) == 0")
_add("signal_by_pipe", "have the kernel signal the runner when a pipe is ready", "SL", """
    import fcntl
    fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid()); got = True
    """)
_add("runner_limits", "look at or change the limits of the runner", "SL", """
    import resource
    got = resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)
    """)
_add("pidfd", "get a handle of the runner", "SL", "got = call('pidfd_open', os.getppid(), 0) >= 0")
_add("ptrace", "trace the runner", "SL", """
    got = libc.ptrace(0x4206, os.getppid(), None, None) == 0
    """)
_add("read_memory", "read the runner's memory", "SL", """
    import struct
    there, here = ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)
    of = lambda b: ctypes.create_string_buffer(struct.pack('QQ', ctypes.addressof(b), 8))
    got = call('process_vm_readv', os.getppid(), of(here), 1, of(there), 1, 0) == 8
    """)
_add("many_processes", "start 200 processes", "SL", """
    import time
    for number in range(200):
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    got = True
    """)
_add("many_threads", "start 400 threads", "SL", """
    import threading, time
    threading.stack_size(65536)
    for number in range(400):
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    got = True
    """)
_add("daemon", "leave a process behind that has left its group and session", "SLR", """
    import time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(0.01)
                open('alive', 'w').close()
        os._exit(0)
    time.sleep(0.1)
    """, """
    import time
    time.sleep(0.1)
    got = os.path.exists('alive')
    """)
_add("leave_file", "leave files for the next program", "SLR",
     "os.makedirs('a/b'); open('a/b/c', 'w').write('x')", "got = os.listdir('.')")
_add("leave_deep", "leave folders too deep to remove", "SLR", """
    for number in range(1500):
        os.mkdir('d' * 200)
        os.chdir('d' * 200)
    """, "got = os.listdir('.')")
_add("leave_shared", "leave shared memory (System V) for the next program", "SL",
     "call('shmget', planted['key'], 4096, 0o1600)",
     "got = call('shmget', planted['key'], 4096, 0o600) >= 0")
_add("leave_posix_shared", "leave shared memory (POSIX) for the next program", "SL",
     "open('/dev/shm/' + planted['abstract'], 'w').close()",
     "got = os.path.exists('/dev/shm/' + planted['abstract'])")
_add("leave_key", "leave a key in a keyring", "SL",
     "got = call('add_key', b'user', b'hindsight', b'x', 1, -3) >= 0")
_add("much_memory", "take 8 GB of memory", "SLR", "got = bytearray(8 << 30)")
_add("big_file", "write a file of 64 MiB", "SLR",
     "got = open('big', 'wb', 0).write(bytes(64 << 20)) > 32 << 20")
_add("many_files", "fill the scratch folder with 128 MiB", "S", """
    for number in range(16):
        open(str(number), 'wb').write(bytes(8 << 20))
    got = True
    """)
_add("descriptors", "open 2000 files", "SLR",
     "kept = [open('/dev/null') for number in range(2000)]; got = True")
_add("unshare", "make namespaces", "SL", "got = libc.unshare(0x10000000) == 0")
_add("mount", "mount a file system", "SL",
     "got = libc.mount(b'none', b'.', b'tmpfs', 0, None) == 0")
_add("chroot", "change the root folder", "SL", "os.chroot('.'); got = True")
_add("become_root", "become another user", "SL", "os.setuid(12345); got = os.getuid() == 12345")
_add("io_uring", "do system calls through io_uring", "SL",
     "got = call('io_uring_setup', 1, ctypes.create_string_buffer(120)) >= 0")
_add("bpf", "make a BPF map", "SL", """
    import struct
    made = struct.pack('IIII', 2, 4, 4, 1).ljust(120, b'\\0')
    got = call('bpf', 0, ctypes.create_string_buffer(made), 120) >= 0
    """)
_add("userfaultfd", "handle page faults", "SL", "got = call('userfaultfd', 1) >= 0")
_add("perf", "watch performance counters", "SL", """
    import struct
    what = struct.pack('IIQ', 1, 112, 0).ljust(112, b'\\0')
    got = call('perf_event_open', ctypes.create_string_buffer(what), 0, -1, -1, 0) >= 0
    """)
_add("new_process_raw", "start a process by a raw clone3", "SL", """
    import struct
    made = call('clone3', ctypes.create_string_buffer(struct.pack('4Q', 0, 0, 0, 0) + bytes(32)), 64)
    if made == 0:
        os._exit(0)
    got = made > 0
    """)
_add("shell", "run /bin/sh in place of Python", "SL",
     "os.execv('/bin/sh', ['sh', '-c', f'echo got >&{report}'])")
_add("subprocess", "run a command", "SL",
     "import subprocess; got = subprocess.run(['/bin/true']).returncode == 0")
_add("memory_file", "run a program that is only in memory", "SL", """
    made = os.memfd_create('x', 0)
    os.write(made, f'#!/bin/sh\\necho got >&{report}\\n'.encode())
    os.execve(made, ['x'], {})
    """)
