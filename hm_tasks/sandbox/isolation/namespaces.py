"""The strong level's world: namespaces, and a file system of only what programs may read.

The root is an empty tmpfs into which the readable paths are bound read-only, so homes, caches, data
sets, /proc, /sys, /tmp, /run and /var are not hidden one by one: they are not there. The process
goes on as the first one of a PID namespace; when it ends, the kernel ends all others in it.

Sources: namespaces(7), user_namespaces(7), pid_namespaces(7), mount_namespaces(7), pivot_root(2),
mount(2), mount_setattr(2), Documentation/filesystems/{tmpfs,sharedsubtree}.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import struct
from collections.abc import Iterable, Sequence

from hm_tasks.sandbox.isolation import kernel
from hm_tasks.sandbox.isolation.limits import STREAMS, IsolationError, Limits
from hm_tasks.sandbox.isolation.readable import DEVICES, outermost

_NEW_MOUNTS, _NEW_CGROUPS, _NEW_HOST, _NEW_IPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEW_USERS, _NEW_PROCESSES, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_ALL = _NEW_MOUNTS | _NEW_HOST | _NEW_IPC | _NEW_PROCESSES | _NEW_NETWORK | _NEW_CGROUPS

_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8  # the same in mount(2) and mount_setattr(2)
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 0x20, 0x1000, 0x4000, 0x40000
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
# Flags of a mount that a user namespace may not take away when it remounts.
_LOCKED = {"nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 0x400, "nodiratime": 0x800}
_LOCKED |= {"relatime": 0x200000}


def separate() -> None:
    """Move this process into namespaces of its own; without root by way of a user namespace."""
    user, group = os.geteuid(), os.getegid()
    as_root = user == 0 and kernel.has_capability(kernel.CAP_SYS_ADMIN)
    if user == 0 and not as_root:
        # In a user namespace of its own it would still be root to the kernel's counting of threads.
        raise IsolationError(
            "Root without CAP_SYS_ADMIN, as in containers, gets no namespaces of its own. "
            "Use isolation=landlock."
        )
    flags = _ALL if as_root else _ALL | _NEW_USERS
    if kernel.libc().unshare(flags) < 0:
        number = ctypes.get_errno()
        reason = "it has more than one thread, or " if number == errno.EINVAL else ""
        raise IsolationError(
            f"The kernel refuses this process namespaces of its own ({reason}"
            f"{os.strerror(number)}). Containers forbid them by default, and so do "
            "kernel.unprivileged_userns_clone=0, kernel.apparmor_restrict_unprivileged_userns=1 "
            "and user.max_user_namespaces=0. Use isolation=landlock."
        )
    if as_root:
        return
    try:
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)
    except OSError as error:
        raise IsolationError(
            f"The kernel refuses this user a user namespace ({error}), on Ubuntu by "
            "kernel.apparmor_restrict_unprivileged_userns=1. Use isolation=landlock."
        ) from error


def move_root(scratch: str, readable: Sequence[str], hidden: Iterable[str], limits: Limits) -> None:
    """Make the new file system and leave the old one; needs the namespaces of `separate`."""
    try:
        _mount(None, "/", None, _RECURSIVE | _PRIVATE)
        # The scratch folder is ours and exists; what is seen at its path inside is another tmpfs.
        _mount("none", scratch, "tmpfs", _NOSUID | _NODEV, "size=4m,mode=755")
        _fill(scratch, readable, hidden)
        inside = scratch + scratch
        os.makedirs(inside, exist_ok=True)
        options = f"size={limits.scratch_bytes},nr_inodes={limits.scratch_files},mode=700"
        _mount("none", inside, "tmpfs", _NOSUID | _NODEV | _NOEXEC, options)
        os.chdir(scratch)
        # The old root lands on top of the new one and is taken away at once, as pivot_root(2) shows.
        kernel.call("pivot_root", ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
        kernel.checked(kernel.libc().umount2(b".", _DETACH), "umount2")
        os.chdir("/")
        _mount(None, "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
        kernel.checked(kernel.libc().sethostname(b"sandbox", 7), "sethostname")
        os.chdir(scratch)
    except OSError as error:
        raise IsolationError(
            f"The kernel refuses a file system of its own ({error}): AppArmor, SELinux or the "
            "container forbid mounts. Use isolation=landlock."
        ) from error


def _fill(root: str, readable: Sequence[str], hidden: Iterable[str]) -> None:
    real = outermost(readable)
    for path in real:
        _bind(path, root + path, _RDONLY | _NOSUID | _NODEV)
    for path in DEVICES:
        if os.path.exists(path):
            _bind(path, root + path, _RDONLY | _NOSUID | _NOEXEC)
    for path in readable:
        # The same files by the other names that lead to them.
        bound = any(path.startswith(above + "/") for above in real)
        if not bound and not os.path.lexists(root + path):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            os.symlink(os.path.realpath(path), root + path)
    os.makedirs(f"{root}/dev/fd", exist_ok=True)
    for number, name in enumerate(STREAMS):
        for link in (name.lstrip("."), f"fd/{number}"):
            # Seen from inside: the scratch folder keeps its path.
            os.symlink(f"{root}/{name}", f"{root}/dev/{link}")
    nothing = os.path.join(root, ".nothing")
    os.close(os.open(nothing, os.O_CREAT, 0o444))
    package = os.path.join(root, ".package")
    os.mkdir(package, 0o755)
    os.close(os.open(os.path.join(package, "__init__.py"), os.O_CREAT, 0o000))
    for path in hidden:
        place = root + os.path.realpath(path)
        if os.path.exists(os.path.join(place, "__init__.py")):
            # An empty folder could be imported, as a namespace; what cannot be read cannot.
            _mount(package, place, None, _BIND)
        elif os.path.isdir(place):
            _mount("none", place, "tmpfs", _RDONLY | _NOSUID | _NODEV, "size=4k,mode=755")
        elif os.path.exists(place):
            _mount(nothing, place, None, _BIND)


def _bind(source: str, target: str, flags: int) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT, 0o444))
    _mount(source, target, None, _BIND | _RECURSIVE)
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)
    path = ctypes.c_char_p(os.fsencode(target))
    try:
        kernel.call(
            "mount_setattr",
            _AT_FDCWD,
            path,
            _AT_RECURSIVE,
            ctypes.c_char_p(attributes),
            len(attributes),
        )
    except OSError:
        _remount_each(target, flags)  # before Linux 5.12, and where a container does not know it


def _remount_each(target: str, flags: int) -> None:
    with open("/proc/self/mountinfo") as file:
        rows = [line.split() for line in file]
    for row in rows:
        point = row[4].encode().decode("unicode_escape")  # blanks are written as \040
        if point == target or point.startswith(target + "/"):
            locked = sum({_LOCKED[w] for w in row[5].split(",") if w in _LOCKED} - {flags})
            _mount(None, point, None, _REMOUNT | _BIND | flags | locked)


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str | None = None
) -> None:
    words = (None if w is None else os.fsencode(w) for w in (source, target, kind))
    data = None if options is None else options.encode()
    result = kernel.libc().mount(*words, ctypes.c_ulong(flags), data)
    kernel.checked(result, f"mount on {target}")


def open_last_number() -> int | None:
    """The file by which the first process of a PID namespace says which number was given last.

    None where there is no such file to write to, as in containers whose /proc/sys is read-only.
    """
    try:
        return os.open("/proc/sys/kernel/ns_last_pid", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None


def become_first() -> int:
    """Go on as the first process of the new PID namespace; the old one only waits for its end.

    Returns a descriptor for `die_with_parent`.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        return reading
    # The waiting process must not keep the caller's pipes open, nor answer to Ctrl-C first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.closerange(0, writing)
    os.closerange(writing + 1, 1 << 20)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def die_with_parent(reading: int) -> None:
    """Have the kernel end this process when the waiting one ends, however that happens."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    if poll.poll(0):
        os._exit(1)  # it ended before the kernel knew
    os.close(reading)
