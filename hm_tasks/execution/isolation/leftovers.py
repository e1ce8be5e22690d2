"""Nothing of a program is left for the next one: neither processes nor files.

Sources: kill(2), wait(2), pid_namespaces(7), proc(5), PR_SET_CHILD_SUBREAPER in prctl(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable

from hm_tasks.execution.isolation.limits import IsolationError

_LINUX = sys.platform.startswith("linux")
_SECONDS = 10  # that processes killed may take to end


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


def empty(folder: str) -> None:
    """Remove all in a folder, one descriptor at a time: however deep a program nested it."""
    try:
        _empty(folder)
    except OSError as error:
        raise IsolationError(
            f"Files of a program cannot be removed ({error}): start a new runner."
        ) from error


def _empty(folder: str) -> None:
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
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
                step = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
                os.close(here)
                here = step
                os.rmdir(name, dir_fd=here)
    finally:
        os.close(here)


def _unlink_files(here: int) -> list[str]:
    folders = []
    with os.scandir(here) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=here)
    return folders


def _open_folder(name: str, here: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=here)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=here)
        return os.open(name, flags, dir_fd=here)
