"""Nothing of a program is left for the next one: neither processes nor files.

Sources: kill(2), wait(2), pid_namespaces(7), proc(5), PR_SET_CHILD_SUBREAPER in prctl(2), chmod(2),
FS_IOC_SETFLAGS in ioctl_iflags(2).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import signal
import stat
import struct
import sys
import time
from collections.abc import Callable

from hm_tasks.sandbox.isolation.limits import IsolationError

_LINUX = sys.platform.startswith("linux")
_SECONDS = 10  # that processes killed may take to end
_SET_FLAGS = 0x40086602  # FS_IOC_SETFLAGS, of Linux
_OPEN = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_OWN = 0o700  # what the owner needs to list a folder and to remove what is in it

logger = logging.getLogger(__name__)


def end_all(child: int, *, alone: bool, escaping: bool) -> int:
    """End a program's process and all that it started; return its wait status.

    Args:
        alone: this process is the first of a PID namespace and all others in it are to end.
        escaping: the program's processes could leave their group.
    """
    _kill(os.kill, child)
    if alone:
        _kill(os.kill, -1)  # at once, wherever they hide
    else:
        _kill(os.killpg, child)
    status = None
    until = time.monotonic() + _SECONDS
    while True:
        try:
            ended, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status or 0
        if ended == child:
            status = how
        elif ended == 0:
            if time.monotonic() > until:
                raise IsolationError("Processes of a program do not end: start a new runner.")
            if escaping and _LINUX and status is not None:
                # Those that left the group are children of this process now (subreaper).
                _kill_descendants()
            time.sleep(0.0002)


def _kill(function: Callable[[int, int], None], target: int) -> None:
    try:
        function(target, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        if error.errno != errno.EPERM or sys.platform != "darwin":
            raise  # macOS answers so for a group of processes that have ended


def _kill_descendants() -> None:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                # The name in brackets may hold anything; state and parent follow it.
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
    found = {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            break
        found |= more
    for pid in found - {os.getpid()}:
        _kill(os.kill, pid)


def identity(folder: str) -> tuple[int, int]:
    """What tells a folder from another one that took its place."""
    found = os.stat(folder, follow_symlinks=False)
    return found.st_dev, found.st_ino


def empty(folder: str, known: tuple[int, int] | None = None) -> None:
    """Remove all in a folder, whatever names, modes and depth a program gave to it.

    The folder itself gets its mode back, and times that say nothing of the program.

    Args:
        known: the folder's `identity`, where a program may have put another one in its place.

    Raises:
        IsolationError: something is left.
    """
    try:
        here = _open_folder(folder, None)
        try:
            found = os.fstat(here)
            if known is not None and (found.st_dev, found.st_ino) != known:
                raise OSError(errno.ENOENT, "the scratch folder is another one")
        except OSError:
            os.close(here)
            raise
        _empty(here)
        os.chmod(folder, _OWN)
        os.utime(folder, (0, 0))
    except OSError as error:
        raise IsolationError(
            f"Files of a program cannot be removed ({error}): start a new runner."
        ) from error


def remove(folder: str, seconds: float = 0.0) -> None:
    """Remove a folder of a run with all that is in it; what cannot be removed is logged.

    Args:
        seconds: how long processes that are ending may still be writing into it.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            if not stat.S_ISDIR(os.stat(folder, follow_symlinks=False).st_mode):
                os.unlink(folder)  # a program without isolation has put it there
                return
            empty(folder)
            os.rmdir(folder)
            return
        except FileNotFoundError:
            return
        except (OSError, IsolationError) as error:
            if not os.path.lexists(folder):
                return
            if time.monotonic() >= until:
                logger.warning("%s could not be removed (%s).", folder, error)
                return
        time.sleep(0.02)


def _empty(here: int) -> None:
    """Empty an open folder, one descriptor at a time: however deep a program nested it."""
    try:
        way = [("", _unlink_files(here))]
        while way:
            name, folders = way[-1]
            if folders:
                name = folders.pop()
                step = _open_folder(name, here)
                os.close(here)
                here = step
                way.append((name, _unlink_files(here)))
            elif len(way) == 1:
                return
            else:
                way.pop()
                step = os.open("..", _OPEN, dir_fd=here)
                os.close(here)
                here = step
                _remove(os.rmdir, name, here)
    finally:
        os.close(here)


def _unlink_files(here: int) -> list[str]:
    folders = []
    with os.scandir(here) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                _remove(os.unlink, entry.name, here)
    return folders


def _open_folder(name: str, here: int | None) -> int:
    """Open a folder, and make it one whose owner may list and change it."""
    try:
        found = os.open(name, _OPEN, dir_fd=here)
    except PermissionError:
        os.chmod(name, _OWN, dir_fd=here)
        found = os.open(name, _OPEN, dir_fd=here)
    try:
        if os.fstat(found).st_mode & _OWN != _OWN:
            os.fchmod(found, _OWN)
    except OSError:
        _clear_flags(found)  # of a folder that is not to be changed
        os.fchmod(found, _OWN)
    return found


def _remove(function: Callable[..., None], name: str, here: int) -> None:
    try:
        function(name, dir_fd=here)
    except PermissionError:
        # Without isolation root's programs may have made it, or the folder around it, immutable.
        _clear_flags(here)
        if stat.S_ISREG(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            with contextlib.suppress(OSError):
                file = os.open(name, flags, dir_fd=here)
                _clear_flags(file)
                os.close(file)
        function(name, dir_fd=here)


def _clear_flags(descriptor: int) -> None:
    if _LINUX:
        with contextlib.suppress(OSError):
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("@l", 0))
