"""The system calls that the runner and its programs may do: a list of allowed ones, BPF by hand.

What is not listed gives EPERM, which Python raises as PermissionError inside the program: a program
that tries a socket fails like any other failing program, it is not killed. Calls newer than the
list give ENOSYS, as do clone3 (its flags lie in memory, where a filter cannot look) and the x32
calls, so that C libraries fall back to older ones. Calls of another architecture kill the process.

Sources: seccomp(2), Documentation/userspace-api/seccomp_filter.rst, linux/{seccomp,filter,audit}.h.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import platform
import struct

from hm_tasks.sandbox.isolation import kernel

_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000
_REFUSE = _ERRNO | errno.EPERM
_UNKNOWN = _ERRNO | errno.ENOSYS
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# The last call that was thought about is fchmodat2 (452, Linux 6.6).
_FIRST_UNKNOWN = 453

# struct seccomp_data: the number, the architecture, the address, six arguments of 64 bits.
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06

_Code = list[tuple[int, int, int, int]]


def _words(text: str) -> list[str]:
    return text.split()


# Harmless: memory, own files (paths are for Landlock and mounts), time, own signals, waiting.
_PLAIN = _words("""
read write close stat fstat lstat newfstatat statx lseek mmap mprotect munmap brk mremap madvise
msync mincore pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 access faccessat
faccessat2 pipe pipe2 select pselect6 poll ppoll dup dup2 dup3 epoll_create epoll_create1
epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 timerfd_create timerfd_settime
timerfd_gettime nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times alarm
pause setitimer getitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete
getpid gettid getppid getuid geteuid getgid getegid getgroups getresuid getresgid getpgrp getpgid
getsid getpriority rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait
rt_sigsuspend sigaltstack restart_syscall exit exit_group wait4 waitid futex futex_waitv
set_robust_list get_robust_list set_tid_address rseq membarrier arch_prctl sched_yield
sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min
getcpu getrandom uname sysinfo getrusage getrlimit setrlimit umask getcwd chdir fchdir readlink
readlinkat statfs fstatfs getdents getdents64 mkdir mkdirat rmdir unlink unlinkat rename renameat
renameat2 link linkat symlink symlinkat creat ftruncate fallocate fadvise64 flock fsync fdatasync
sync_file_range sendfile copy_file_range recvfrom recvmsg shutdown getsockopt setsockopt
getsockname getpeername close_range
""")

# Landlock does not look at these: only where nothing else is mounted writable.
_METADATA = _words("""
chmod fchmod fchmodat fchmodat2 utime utimes futimesat utimensat
getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
""")

# The runner starts, kills and confines programs, and cleans up after them whatever modes they set.
_RUNNER = _words("""
fork vfork kill tkill tgkill setpgid prctl capset seccomp landlock_create_ruleset landlock_add_rule
landlock_restrict_self chmod fchmod fchmodat utimensat
""")

_CLONE_THREAD = 0x00010000
# NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and PARENT, which would make a sibling.
_CLONE_REFUSED = 0x00020000 | 0x02000000 | 0x7C000000 | 0x00008000
_AF_UNIX = 1
_O_ACCMODE, _O_TRUNC = 0o3, 0o1000
# They make the kernel send any signal to any process of the user: SETOWN, SETSIG, SETOWN_EX.
_FCNTL_REFUSED = (8, 10, 15)
# TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what isatty and sockets ask.
_IOCTL_ALLOWED = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Names of threads and of memory (PR_SET_VMA, glibc's malloc).
_PRCTL_ALLOWED = (kernel.PR_SET_NAME, kernel.PR_GET_NAME, 0x53564D41)


def restrict(*, runner: bool, own_pid: int, metadata: bool, processes: bool) -> None:
    """Allow this process, and all that it starts, nothing but the listed calls from now on.

    Args:
        runner: also what a runner needs to handle programs.
        own_pid: the only process that a program may send signals to.
        metadata: also modes, times and extended attributes of files.
        processes: a program may start processes, not only threads.
    """
    code = prepare(runner, metadata, processes) + _packed(_last(own_pid))
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a 16-bit length, then an aligned pointer.
    wanted = ctypes.create_string_buffer(
        struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    )
    kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(wanted))


def _packed(code: _Code) -> bytes:
    return b"".join(struct.pack("<HBBI", *step) for step in code)


@functools.cache
def prepare(runner: bool, metadata: bool, processes: bool) -> bytes:
    """All of the filter that does not depend on the process: kept for the forks of this one."""
    plain = [*_PLAIN, *(_METADATA if metadata else ()), *(_RUNNER if runner else ())]
    if processes and "fork" not in plain:
        plain += ["fork", "vfork"]
    code: _Code = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        *_returning_unless(_AUDIT_ARCH[platform.machine()], _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _FIRST_UNKNOWN),
        (_RETURN, 0, 0, _UNKNOWN),
    ]
    numbers = kernel.numbers()
    code += _returning_if(numbers["clone3"], _UNKNOWN)
    for name in plain:
        if name in numbers:
            code += _returning_if(numbers[name], _ALLOW)
    conditions = _conditions(runner or processes)
    return _packed(code + _blocks({n: b for n, b in conditions.items() if n not in plain}))


def _last(own_pid: int) -> _Code:
    to_itself = _one_of(0, (own_pid,), then=_ALLOW)
    code = _blocks(dict.fromkeys(("kill", "tkill", "tgkill"), to_itself))
    return [*code, (_RETURN, 0, 0, _REFUSE)]


def _blocks(conditions: dict[str, _Code]) -> _Code:
    numbers = kernel.numbers()
    code: _Code = []
    for name, block in conditions.items():
        if name in numbers:
            code += [(_EQUAL, 0, len(block), numbers[name]), *block]
    return code


def _conditions(processes: bool) -> dict[str, _Code]:
    thread = 0 if processes else _CLONE_THREAD
    # Opening for reading and truncating at once: before Linux 6.2 Landlock takes it for reading.
    reading_and_truncating = (_O_ACCMODE | _O_TRUNC, _O_TRUNC)
    return {
        "clone": _masked(0, _CLONE_REFUSED | thread, thread, then=_ALLOW),
        "open": _masked(1, *reading_and_truncating, then=_REFUSE),
        "openat": _masked(2, *reading_and_truncating, then=_REFUSE),
        "fcntl": _one_of(1, _FCNTL_REFUSED, then=_REFUSE),
        "ioctl": _one_of(1, _IOCTL_ALLOWED, then=_ALLOW),
        "prctl": _one_of(0, _PRCTL_ALLOWED, then=_ALLOW),
        # Of another process of the user they would change the limits or the cores.
        "prlimit64": _one_of(0, (0,), then=_ALLOW),
        "sched_setaffinity": _one_of(0, (0,), then=_ALLOW),
        # asyncio wakes itself up through a pair; one that names no address reaches nobody else.
        "socketpair": _one_of(0, (_AF_UNIX,), then=_ALLOW),
        "sendto": _no_pointer(4),
    }


def _argument(index: int, half: int = 0) -> tuple[int, int, int, int]:
    # The kernel reads all arguments that are compared here as 32 bits: the low half comes first.
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index + 4 * half)


def _returning_if(value: int, answer: int) -> _Code:
    return [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, answer)]


def _returning_unless(value: int, answer: int) -> _Code:
    return [(_EQUAL, 1, 0, value), (_RETURN, 0, 0, answer)]


def _opposite(answer: int) -> int:
    return _REFUSE if answer == _ALLOW else _ALLOW


def _one_of(index: int, values: tuple[int, ...], then: int) -> _Code:
    tests = [step for value in values for step in _returning_if(value & 0xFFFFFFFF, then)]
    return [_argument(index), *tests, (_RETURN, 0, 0, _opposite(then))]


def _masked(index: int, mask: int, value: int, then: int) -> _Code:
    test = [(_AND, 0, 0, mask), *_returning_if(value, then)]
    return [_argument(index), *test, (_RETURN, 0, 0, _opposite(then))]


def _no_pointer(index: int) -> _Code:
    low = [_argument(index), *_returning_unless(0, _REFUSE)]
    return [*low, _argument(index, 1), *_returning_unless(0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
