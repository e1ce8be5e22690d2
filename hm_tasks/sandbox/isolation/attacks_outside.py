"""Attacks on what is outside: files, secrets, the network, other processes. See attack.py."""

from hm_tasks.sandbox.isolation.attack import Attack

ATTACKS = (
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
    Attack("list_outside", "list a folder outside", "SL", "got = os.listdir(planted['folder'])"),
    Attack(
        "see_outside",
        "learn whether a file outside exists, and its size",
        "S",
        "got = os.stat(planted['secret']).st_size",
    ),
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
        "environment",
        "find a secret in the environment",
        "SLR",
        "got = planted['variable'] in os.environ",
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
        "abstract",
        "connect to an abstract Unix socket",
        "SL",
        """
        import socket
        socket.socket(socket.AF_UNIX).connect('\\0' + planted['abstract']); got = True
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
        "ptrace",
        "trace the runner",
        "SL",
        """
        got = libc.ptrace(0x4206, os.getppid(), None, None) == 0
        """,
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
)
