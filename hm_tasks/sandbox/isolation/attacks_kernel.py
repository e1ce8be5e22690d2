"""Attacks on resources, on the next program and through the kernel. See attack.py.

Where nothing stops them they clean up after themselves: they are run at the weakest level, too.
"""

from hm_tasks.sandbox.isolation.attack import Attack

ATTACKS = (
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
    Attack("much_memory", "take 8 GB of memory", "SLR", "got = bytearray(8 << 30)"),
    Attack(
        "big_file",
        "write a file of 64 MiB",
        "SLR",
        "got = open('big', 'wb', 0).write(bytes(64 << 20)) > 32 << 20",
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
        "descriptors",
        "open 2000 files",
        "SLR",
        "kept = [open('/dev/null') for number in range(2000)]; got = True",
    ),
    Attack("unshare", "make namespaces", "SL", "got = libc.unshare(0x10000000) == 0"),
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
        "become_root", "become another user", "SL", "os.setuid(12345); got = os.getuid() == 12345"
    ),
    Attack(
        "io_uring",
        "do system calls through io_uring",
        "SL",
        "got = call('io_uring_setup', 1, ctypes.create_string_buffer(120)) >= 0",
    ),
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
        "shell",
        "run /bin/sh in place of Python",
        "SL",
        "os.execv('/bin/sh', ['sh', '-c', f'echo got >&{report}'])",
    ),
    Attack(
        "subprocess",
        "run a command",
        "SL",
        "import subprocess; got = subprocess.run(['/bin/true']).returncode == 0",
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
