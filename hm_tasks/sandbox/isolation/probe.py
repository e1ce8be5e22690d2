"""The short probe: attacks that tell whether each part of a level holds here. See prove.py.

Of each part at least one: mounts and Landlock, the network's namespace, the list of system calls, the
processes' namespace, privileges, resource limits, the environment, cleaning up. All other attacks that are
known are tests (tests/tasks/sandbox/breakouts.py), which run at each level.

Where nothing stops them they clean up after themselves: they are run at the weakest level, too.

Sources: the man pages of the calls that are tried.
"""

from __future__ import annotations

import textwrap


class Attack:
    """One way out: a program that tries to break out.

    It is run as a model's program would be, with a few names given to it: `planted` (where to find what
    it must not), `os`, `ctypes`, `libc`, `call(name, ...)` for raw system calls and `report`, a
    descriptor. It succeeds by setting `got` to something true; an exception or a killed process is a
    defence that held. Of two programs the second runs after the clean-up of the first.

    Args:
        stopped_by: the levels that claim to, by their first letters.
    """

    def __init__(self, name: str, title: str, stopped_by: str, *programs: str) -> None:
        self.name, self.title, self.stopped_by = name, title, stopped_by
        self.programs = [textwrap.dedent(program) for program in programs]


# Of calls that only attacks do: x86_64, aarch64.
CALLS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "perf_event_open": (298, 241),
    "pidfd_open": (434, 434),
    "process_vm_readv": (310, 270),
    "shmget": (29, 194),
    "socket": (41, 198),
    "kill": (62, 129),
    "clone3": (435, 435),
    "userfaultfd": (323, 282),
}

PROBE = (
    Attack(
        "write_outside",
        "write a file outside the scratch folder",
        "SL",
        "open(planted['folder'] + '/new', 'w').write('x'); got = True",
    ),
    Attack(
        "read_outside",
        "read a file outside Python's folders",
        "SL",
        "got = open(planted['secret']).read()",
    ),
    Attack(
        "read_hidden",
        "read a hidden file inside Python's folders",
        "SL",
        "got = open(planted['hidden']).read()",
    ),
    Attack(
        "see_outside",
        "learn whether a file outside exists, and its size",
        "S",
        "got = os.stat(planted['secret']).st_size",
    ),
    Attack(
        "environment",
        "find a secret in the environment",
        "SLR",
        "got = planted['variable'] in os.environ",
    ),
    Attack(
        "proc_memory",
        "open the runner's memory in /proc",
        "SL",
        "open(f'/proc/{os.getppid()}/mem', 'rb').close(); got = True",
    ),
    Attack(
        "tcp",
        "connect to a TCP server of this machine",
        "SL",
        """
        import socket
        socket.create_connection(('127.0.0.1', planted['tcp']), 2).close(); got = True
        """,
    ),
    Attack(
        "abstract",
        "connect to an abstract Unix socket",
        "SL",
        """
        import socket
        socket.socket(socket.AF_UNIX).connect('\\0' + planted['abstract']); got = True
        """,
    ),
    Attack(
        "raw_socket_call",
        "open a socket by a raw system call",
        "SL",
        "got = call('socket', 2, 1, 0) >= 0",
    ),
    Attack(
        "kill_judge",
        "signal the process that started the runner",
        "SL",
        "pid = planted['judge']; os.kill(pid, 0); got = pid != os.getpid()",
    ),
    Attack("kill_runner", "signal the runner", "SL", "os.kill(os.getppid(), 0); got = True"),
    Attack(
        "ptrace",
        "trace the runner",
        "SL",
        """
        got = libc.ptrace(0x4206, os.getppid(), None, None) == 0
        """,
    ),
    Attack(
        "many_threads",
        "start 1000 threads",
        "SL",
        """
        import threading, time
        threading.stack_size(65536)
        for number in range(1000):
            threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
        got = True
        """,
    ),
    Attack(
        "daemon",
        "leave a process behind that has left its group and session",
        "SLR",
        """
        import time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    time.sleep(0.01)
                    open('alive', 'w').close()
            os._exit(0)
        time.sleep(0.1)
        """,
        """
        import time
        time.sleep(0.1)
        got = os.path.exists('alive')
        """,
    ),
    Attack(
        "leave_file",
        "leave files for the next program",
        "SLR",
        "os.makedirs('a/b'); open('a/b/c', 'w').write('x')",
        "got = os.listdir('.')",
    ),
    Attack("much_memory", "take 8 GB of memory", "SLR", "got = bytearray(8 << 30)"),
    Attack(
        "big_file",
        "write a file of 64 MiB",
        "SLR",
        "got = open('big', 'wb', 0).write(bytes(64 << 20)) > 32 << 20",
    ),
    Attack(
        "descriptors",
        "open 2000 files",
        "SLR",
        "kept = [open('/dev/null') for number in range(2000)]; got = True",
    ),
    Attack("unshare", "make namespaces", "SL", "got = libc.unshare(0x10000000) == 0"),
    Attack(
        "become_root", "become another user", "SL", "os.setuid(12345); got = os.getuid() == 12345"
    ),
    Attack(
        "io_uring",
        "do system calls through io_uring",
        "SL",
        "got = call('io_uring_setup', 1, ctypes.create_string_buffer(120)) >= 0",
    ),
    Attack(
        "new_process_raw",
        "start a process by a raw clone3",
        "SL",
        """
        made = call('clone3', ctypes.create_string_buffer(bytes(64)), 64)
        if made == 0:
            os._exit(0)
        got = made > 0
        """,
    ),
    Attack(
        "subprocess",
        "run a command",
        "SL",
        "import subprocess; got = subprocess.run(['/bin/true']).returncode == 0",
    ),
)
