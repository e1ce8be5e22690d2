"""Entering a level, confining one program after another, and leaving nothing of it behind.

A runner calls `enter` once, then for each program forks, calls `confine_program` in the child and
`clean_up` in itself. What each level stops is in docs/sandbox.md.

Sources: those of the other modules here; proc(5), kill(2), credentials(7).
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from hm_tasks.sandbox.isolation import (
    kernel,
    landlock,
    leftovers,
    namespaces,
    privileges,
    seccomp,
)
from hm_tasks.sandbox.isolation.limits import IsolationError, Limits, clean_environment
from hm_tasks.sandbox.isolation.readable import DEVICES, outermost, readable_paths

STRONG, LANDLOCK, RLIMIT = LEVELS = ("strong", "landlock", "rlimit")

_LINUX = sys.platform.startswith("linux")
# Since then a user namespace counts its processes by itself (ucounts).
_COUNTED_PER_NAMESPACE = (5, 14)
# Other processes of the same user come and go where they are counted together.
_SPARE_TASKS = 256
_OOM_FIRST = "800"  # of -1000 to 1000: programs are killed for memory before anything else


@dataclass(frozen=True)
class _Entered:
    level: str
    scratch: str
    other_tasks: int | None  # that count against the user's number beside the program's own
    folder: tuple[int, int]  # the scratch folder's identity
    last_number: int | None = None  # the file that says which process number was given last
    capabilities: tuple[int, ...] | None = None  # what programs may hold, where this one has more


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
    last_number, capabilities = None, None
    if level == RLIMIT:
        other_tasks = _enter_rlimit()
    else:
        if threading.active_count() > 1:
            raise IsolationError("A process is isolated before it starts threads.")
        paths = readable_paths(readable)
        covered = sorted(_inside(paths, hidden))
        try:
            strong = level == STRONG
            last_number = namespaces.open_last_number() if strong else None
            other_tasks, kept = _enter_kernel(strong, scratch, limits, paths, covered)
            capabilities = tuple(kept)
        except OSError as error:
            raise IsolationError(
                f"The kernel refuses a part of isolation={level} ({error}): use isolation=auto."
            ) from error
    os.chdir(scratch)
    folder = leftovers.identity(scratch)
    _entered = _Entered(level, scratch, other_tasks, folder, last_number, capabilities)
    leftovers.empty(scratch)  # so that the first program sees what the others see


def _inside(readable: list[str], hidden: Iterable[str]) -> set[str]:
    """What of the hidden paths could be read; a folder around a readable one is none of them."""
    above = [path.rstrip("/") + "/" for path in outermost(readable)]
    return {path for path in map(os.path.realpath, hidden) if any(map(path.startswith, above))}


def _enter_rlimit() -> int | None:
    if not _LINUX:
        return None
    with contextlib.suppress(OSError):
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    offer_to_oom_killer()
    return None if os.geteuid() == 0 else _own_tasks()


def _enter_kernel(
    strong: bool, scratch: str, limits: Limits, paths: list[str], hidden: list[str]
) -> tuple[int | None, list[int]]:
    landlocked = _has_landlock(required=not strong)
    kernel.numbers()
    offer_to_oom_killer()
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    # Beside a program: this process, and the one that waits for it.
    tasks = 2 if strong and release >= _COUNTED_PER_NAMESPACE else _own_tasks()
    waiting = None
    if strong:
        namespaces.separate()
        namespaces.move_root(scratch, paths, hidden, limits)
        waiting = namespaces.become_first()
    else:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    # So that each program's process can have the same number.
    further = (kernel.CAP_CHECKPOINT_RESTORE,) if strong else ()
    alone, kept = privileges.lower(paths, own=scratch, further=further)
    if waiting is not None:
        namespaces.die_with_parent(waiting)
    if landlocked:
        rules = [rule for path in outermost(paths) for rule in landlock.all_but(path, hidden)]
        rules += [(device, landlock.USE_DEVICE) for device in DEVICES]
        landlock.restrict([*rules, (scratch, landlock.WRITE)])
    seccomp.prepare(False, strong, limits.processes > 0)  # once, for all programs
    try:
        seccomp.restrict(runner=True, own_pid=os.getpid(), metadata=strong, processes=True)
    except OSError as error:
        raise IsolationError(
            f"The kernel refuses to filter system calls ({error}). Use isolation=rlimit."
        ) from error
    return (2 if alone else tasks), kept


def _has_landlock(required: bool) -> bool:
    try:
        return landlock.version() > 0
    except IsolationError:
        if required:
            raise
        return False


def offer_to_oom_killer() -> None:
    """Have the kernel end this process before others when memory runs out."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_OOM_FIRST)


def end_with_parent(parent: int, by: int = signal.SIGKILL) -> None:
    """Have the kernel end this process, by a signal, with the one that started it (Linux).

    More exactly with the thread that started it, so that one must last.
    """
    if _LINUX:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, by)
        if os.getppid() != parent:  # it ended before the kernel knew
            os._exit(1)


def _own_tasks() -> int:
    """Processes and threads that this user has now, and some more: they come and go."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/status") as file:
                rows = dict(line.split(":", 1) for line in file if ":" in line)
                if int(rows["Uid"].split()[0]) == os.getuid():
                    count += int(rows["Threads"])
    return count + _SPARE_TASKS


def confine_program(limits: Limits, keep: Iterable[int] = ()) -> None:
    """Confine this process, a fork of the runner, to what one program may do.

    All descriptors but 0, 1, 2 and those in `keep` are closed.
    """
    here = _state()
    close_all_but(*keep)
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
    if here.capabilities is not None:
        kernel.hold_only(here.capabilities)
    if here.level == LANDLOCK or _has_landlock(required=False):
        landlock.restrict((), only_execute=True)
    seccomp.restrict(
        runner=False,
        own_pid=os.getpid(),
        metadata=here.level == STRONG,
        processes=limits.processes > 0,
    )


def close_all_but(*kept: int) -> None:
    """Close all of this process's descriptors but these, 0, 1 and 2."""
    first = 3
    for descriptor in sorted(kept):
        if first < descriptor:  # Python 3.11 takes an empty range for all descriptors
            os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def clean_up(child: int) -> int:
    """End a program and all that it started, empty the scratch folder; return its wait status.

    Raises:
        IsolationError: something is left. The runner must end; its caller starts another.
    """
    here = _state()
    status = leftovers.end_all(child, alone=here.level == STRONG, escaping=here.level == RLIMIT)
    leftovers.empty(here.scratch, known=here.folder)
    _number_next(here)
    return status


def _number_next(here: _Entered) -> None:
    """Give the next process the number that the first program had, where the kernel lets us.

    Else numbers count on, and tell a program how many processes and threads came before.
    """
    if here.last_number is not None:
        with contextlib.suppress(OSError):
            os.pwrite(here.last_number, str(os.getpid()).encode(), 0)


def _state() -> _Entered:
    if _entered is None:
        raise IsolationError("This process has not entered a level of isolation yet.")
    return _entered
