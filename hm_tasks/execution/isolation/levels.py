"""Entering a level, confining one program after another, and leaving nothing of it behind.

A runner calls `enter` once, then for each program forks, calls `confine_program` in the child and
`clean_up` in itself. What each level stops is in docs/sandbox.md.

Sources: those of the other modules here; proc(5), kill(2), credentials(7).
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hm_tasks.execution.isolation import kernel, landlock, namespaces, privileges, seccomp
from hm_tasks.execution.isolation.limits import IsolationError, Limits, clean_environment
from hm_tasks.execution.isolation.readable import DEVICES, outermost, readable_paths

STRONG, LANDLOCK, RLIMIT = LEVELS = ("strong", "landlock", "rlimit")

_LINUX = sys.platform.startswith("linux")
# Since then a user namespace counts its processes by itself (ucounts).
_COUNTED_PER_NAMESPACE = (5, 14)
# Other processes of the same user come and go where they are counted together.
_SPARE_TASKS = 512
_OOM_FIRST = "800"  # of -1000 to 1000: programs are killed for memory before anything else
_CLEAN_UP_SECONDS = 10


@dataclass(frozen=True)
class _Entered:
    level: str
    scratch: str
    other_tasks: int | None  # that count against the user's number beside the program's own


_entered: _Entered | None = None


def enter(
    level: str,
    scratch: str,
    limits: Limits,
    hidden: Iterable[str] = (),
    readable: Iterable[str] = (),
) -> None:
    """Isolate this process for good; under "strong" it is another process that goes on.

    Call it once, with one thread, with everything imported that lies outside Python's packages.

    Args:
        scratch: an existing empty folder: home, TMPDIR and working folder of all programs, emptied
            after each.
        hidden: paths that programs must not read even where they lie inside Python's packages.
        readable: further paths that programs may read.

    Raises:
        IsolationError: the level is not to be had here. The process is of no more use.
    """
    global _entered
    if level not in LEVELS:
        raise IsolationError(f"No isolation level is called {level!r}: use one of {LEVELS}.")
    if _entered is not None:
        raise IsolationError(f"This process is isolated already ({_entered.level}).")
    scratch = os.path.realpath(scratch)
    os.environ.clear()
    os.environ.update(clean_environment(scratch))
    if level == RLIMIT:
        other_tasks = _enter_rlimit()
    else:
        if threading.active_count() > 1:
            raise IsolationError("A process is isolated before it starts threads.")
        paths = readable_paths(readable)
        covered = sorted(os.path.realpath(path) for path in hidden)
        other_tasks = _enter_kernel(level == STRONG, scratch, limits, paths, covered)
    os.chdir(scratch)
    _entered = _Entered(level, scratch, other_tasks)


def _enter_rlimit() -> int | None:
    if not _LINUX:
        return None
    with contextlib.suppress(OSError):
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    _offer_to_oom_killer()
    return None if os.geteuid() == 0 else _all_tasks()


def _enter_kernel(
    strong: bool, scratch: str, limits: Limits, paths: list[str], hidden: list[str]
) -> int | None:
    landlocked = _has_landlock(required=not strong)
    kernel.numbers()
    _offer_to_oom_killer()
    tasks = _all_tasks()
    waiting = None
    if strong:
        namespaces.separate()
        namespaces.move_root(scratch, paths, hidden, limits)
        waiting = namespaces.become_first()
    else:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    alone = privileges.lower(paths, own=scratch)
    if waiting is not None:
        namespaces.die_with_parent(waiting)
    if landlocked:
        rules = [rule for path in outermost(paths) for rule in landlock.all_but(path, hidden)]
        rules += [(device, landlock.USE_DEVICE) for device in DEVICES]
        landlock.restrict([*rules, (scratch, landlock.WRITE)])
    try:
        seccomp.restrict(runner=True, own_pid=os.getpid(), metadata=strong, processes=True)
    except OSError as error:
        raise IsolationError(
            f"The kernel refuses to filter system calls ({error}). Use isolation=rlimit."
        ) from error
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    # This process, and the one that waits for it.
    return 2 if alone or (strong and release >= _COUNTED_PER_NAMESPACE) else tasks


def _has_landlock(required: bool) -> bool:
    try:
        return landlock.version() > 0
    except IsolationError:
        if required:
            raise
        return False


def _offer_to_oom_killer() -> None:
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_OOM_FIRST)


def _all_tasks() -> int | None:
    """Processes and threads of all users: at least as many as this one has."""
    try:
        with open("/proc/loadavg") as file:
            return int(file.read().split()[3].split("/")[1]) + _SPARE_TASKS
    except (OSError, ValueError, IndexError):
        return None


def confine_program(limits: Limits, keep: Iterable[int] = ()) -> None:
    """Confine this process, a fork of the runner, to what one program may do.

    All descriptors but 0, 1, 2 and those in `keep` are closed.
    """
    here = _state()
    _close_all_but({0, 1, 2, *keep})
    os.chdir(here.scratch)
    with contextlib.suppress(AttributeError, OSError):
        os.setpgid(0, 0)
    if _LINUX:
        with contextlib.suppress(OSError):
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    tasks = here.other_tasks
    limits.apply(None if tasks is None else tasks + 1 + limits.threads + limits.processes)
    if here.level == RLIMIT:
        return
    if here.level == LANDLOCK or _has_landlock(required=False):
        landlock.restrict((), only_execute=True)
    seccomp.restrict(
        runner=False,
        own_pid=os.getpid(),
        metadata=here.level == STRONG,
        processes=limits.processes > 0,
    )


def _close_all_but(kept: set[int]) -> None:
    first = 0
    for descriptor in sorted(kept):
        if first < descriptor:  # Python 3.11 takes an empty range for all descriptors
            os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX") if hasattr(os, "sysconf") else 1024)


def clean_up(child: int) -> int:
    """End a program and all that it started, empty the scratch folder; return its wait status.

    Raises:
        IsolationError: something is left. The runner must end; its caller starts another.
    """
    here = _state()
    _kill(os.kill, child)
    if here.level == STRONG:
        # This is the first process of its namespace: all others in it, at once, wherever they hide.
        _kill(os.kill, -1)
    else:
        _kill(os.killpg, child)
        if here.level == RLIMIT and _LINUX:
            # Those that left the group come to this process when the ones above them end.
            _kill_descendants()
    status = 0
    until = time.monotonic() + _CLEAN_UP_SECONDS
    while True:
        try:
            ended, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if ended == child:
            status = how
        elif ended == 0:
            if time.monotonic() > until:
                raise IsolationError("Processes of a program do not end: start a new runner.")
            if here.level == RLIMIT and _LINUX:
                _kill_descendants()
            time.sleep(0.0002)
    try:
        _empty(here.scratch)
    except OSError as error:
        raise IsolationError(
            f"Files of a program cannot be removed ({error}): start a new runner."
        ) from error
    return status


def _state() -> _Entered:
    if _entered is None:
        raise IsolationError("This process has not entered a level of isolation yet.")
    return _entered


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


def _empty(folder: str) -> None:
    """Remove all in a folder, one descriptor at a time: however deep a program nested it."""
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
