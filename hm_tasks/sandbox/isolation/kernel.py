"""System calls without a wrapper in Python: numbers, prctl, capabilities and namespaces by ctypes.

Sources: the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h
(aarch64), include/uapi/linux/{prctl,capability,sched}.h, syscall(2), prctl(2), capabilities(7).
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
from collections.abc import Iterable

from hm_tasks.sandbox.isolation.limits import IsolationError

MACHINES = {"x86_64": 0, "aarch64": 1}

# name:x86_64:aarch64, "-" where the architecture does not have it.
_TABLE = """
read:0:63 write:1:64 open:2:- openat:257:56 close:3:57 stat:4:- fstat:5:80 lstat:6:-
newfstatat:262:79 statx:332:291 lseek:8:62 mmap:9:222 mprotect:10:226 munmap:11:215 brk:12:214
mremap:25:216 madvise:28:233 msync:26:227 mincore:27:232 pread64:17:67 pwrite64:18:68 readv:19:65
writev:20:66 preadv:295:69 pwritev:296:70 preadv2:327:286 pwritev2:328:287 access:21:-
faccessat:269:48 faccessat2:439:439 pipe:22:- pipe2:293:59 select:23:- pselect6:270:72 poll:7:-
ppoll:271:73 dup:32:23 dup2:33:- dup3:292:24 epoll_create:213:- epoll_create1:291:20
epoll_ctl:233:21 epoll_wait:232:- epoll_pwait:281:22 epoll_pwait2:441:441 eventfd:284:-
eventfd2:290:19 timerfd_create:283:85 timerfd_settime:286:86 timerfd_gettime:287:87
nanosleep:35:101 clock_nanosleep:230:115 clock_gettime:228:113 clock_getres:229:114
gettimeofday:96:169 time:201:- times:100:153 alarm:37:- pause:34:- setitimer:38:103
getitimer:36:102 timer_create:222:107 timer_settime:223:110 timer_gettime:224:108
timer_getoverrun:225:109 timer_delete:226:111 getpid:39:172 gettid:186:178 getppid:110:173
getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177 getgroups:115:158 getresuid:118:148
getresgid:120:150 getpgrp:111:- getpgid:121:155 getsid:124:156 getpriority:140:141
rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136
rt_sigtimedwait:128:137 rt_sigsuspend:130:133 sigaltstack:131:132 restart_syscall:219:128
exit:60:93 exit_group:231:94 wait4:61:260 waitid:247:95 futex:202:98 futex_waitv:449:449
set_robust_list:273:99 get_robust_list:274:100 set_tid_address:218:96 rseq:334:293
membarrier:324:283 arch_prctl:158:- sched_yield:24:124 sched_getaffinity:204:123
sched_getparam:143:121 sched_getscheduler:145:120 sched_get_priority_max:146:125
sched_get_priority_min:147:126 getcpu:309:168 getrandom:318:278 uname:63:160 sysinfo:99:179
getrusage:98:165 getrlimit:97:163 setrlimit:160:164 prlimit64:302:261 umask:95:166 getcwd:79:17
chdir:80:49 fchdir:81:50 readlink:89:- readlinkat:267:78 statfs:137:43 fstatfs:138:44
getdents:78:- getdents64:217:61 mkdir:83:- mkdirat:258:34 rmdir:84:- unlink:87:- unlinkat:263:35
rename:82:- renameat:264:38 renameat2:316:276 link:86:- linkat:265:37 symlink:88:-
symlinkat:266:36 creat:85:- ftruncate:77:46 fallocate:285:47 fadvise64:221:223 flock:73:32
fsync:74:82 fdatasync:75:83 sync_file_range:277:84 sendfile:40:71 copy_file_range:326:285
fcntl:72:25 ioctl:16:29 prctl:157:167 clone:56:220 clone3:435:435 fork:57:- vfork:58:- kill:62:129
tkill:200:130 tgkill:234:131 sched_setaffinity:203:122 socketpair:53:199 sendto:44:206
recvfrom:45:207 recvmsg:47:212 shutdown:48:210 getsockopt:55:209 setsockopt:54:208
getsockname:51:204 getpeername:52:205 chmod:90:- fchmod:91:52 fchmodat:268:53 fchmodat2:452:452
utime:132:- utimes:235:- futimesat:261:- utimensat:280:88 getxattr:191:8 lgetxattr:192:9
fgetxattr:193:10 listxattr:194:11 llistxattr:195:12 flistxattr:196:13 close_range:436:436
setpgid:109:154 capset:126:91 seccomp:317:277 pivot_root:155:41 mount_setattr:442:442
landlock_create_ruleset:444:444 landlock_add_rule:445:445 landlock_restrict_self:446:446
"""

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_GET_NAME = 16
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_SETGID = 6
CAP_SETUID = 7
CAP_SYS_ADMIN = 21
CAP_CHECKPOINT_RESTORE = 40
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63


@functools.cache
def libc() -> ctypes.CDLL:
    """The C library; only Linux has what this package asks of it."""
    if not sys.platform.startswith("linux"):
        raise IsolationError(
            f"Only Linux has what isolation needs, this is {sys.platform}: use isolation=rlimit."
        )
    return ctypes.CDLL(None, use_errno=True)


@functools.cache
def numbers() -> dict[str, int]:
    """System call numbers of this machine by name."""
    machine = platform.machine()
    if machine not in MACHINES or sys.maxsize < 1 << 32:
        raise IsolationError(
            f"No system call numbers for {machine} are known here: use isolation=rlimit."
        )
    rows = (row.split(":") for row in _TABLE.split())
    found = ((name, columns[MACHINES[machine]]) for name, *columns in rows)
    return {name: int(number) for name, number in found if number != "-"}


def checked(result: int, what: str) -> int:
    """Return the result of a C function, or raise what errno says."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def call(name: str, *arguments: object) -> int:
    """Do one system call by its name; integers are passed as 64 bits."""
    passed = (ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    return checked(libc().syscall(ctypes.c_long(numbers()[name]), *passed), name)


def prctl(option: int, *arguments: int) -> int:
    """prctl(2); arguments that are left out are 0, as the kernel wants them."""
    passed = (*arguments, 0, 0, 0, 0)[:4]
    return checked(libc().prctl(option, *(ctypes.c_ulong(a) for a in passed)), f"prctl {option}")


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def has_capability(number: int) -> bool:
    """Whether this process may use the capability."""
    data = (ctypes.c_uint32 * 6)()
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    checked(libc().capget(ctypes.byref(header), data), "capget")
    return bool(data[3 * (number // 32)] >> (number % 32) & 1)


def drop_capabilities(keep: Iterable[int] = ()) -> None:
    """Give up all capabilities (but some) for good, in this process and all that it starts."""
    for number in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError:
            break  # past the last one; or not ours to drop, and then there are none to regain
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    hold_only(keep)


def hold_only(kept: Iterable[int]) -> None:
    """Hold these capabilities of those held now, and no others."""
    # For 32 capabilities each: effective, permitted, inheritable.
    data = (ctypes.c_uint32 * 6)()
    for number in kept:
        for which in (0, 1):
            data[3 * (number // 32) + which] |= 1 << number % 32
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    checked(libc().capset(ctypes.byref(header), data), "capset")
