"""The processes behind a pool of guarded forks (`hm_tasks.sandbox.guarded`): nursery, keepers, workers.

The nursery forks the keepers and removes what they leave, however the caller ends. A keeper enters the
level once and forks a worker, which answers one question after another under the limits of
`hm_tasks.sandbox.judging.limited`; one that breaks them is ended, and a fresh one goes on. The keeper, which
does no work on what strangers wrote, keeps the time on the wall and reads the worker's answers as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from hm_tasks.sandbox.isolation.leftovers import remove
from hm_tasks.sandbox.isolation.levels import (
    STRONG,
    clean_up,
    close_all_but,
    confine_program,
    end_with_parent,
    enter,
)
from hm_tasks.sandbox.isolation.limits import MIB, IsolationError, Limits
from hm_tasks.sandbox.judging.isolated import LEFTOVER_SECONDS
from hm_tasks.sandbox.judging.limited import (
    MEMORY,
    TIME,
    BeyondLimits,
    Crashed,
    LimitedFork,
    address_space,
)
from hm_tasks.sandbox.wire.frames import Closed, read_frame, write_frame

CRASHED, RAISED = "crashed", "raised"
BEYOND = (TIME, MEMORY, CRASHED)
ASKED, ANSWERED, REFUSED = b"?", b"!", b"x"
# What it may take on the wall: a machine that is merely busy gives as much to whoever wants to compute.
WALL_FACTOR, WALL_SECONDS = 3.0, 10.0
LONGEST_REASON = 300  # characters
# A worker has all the memory of the process that it is a fork of; its questions' limits come on top.
_LIMITS = Limits(memory=sys.maxsize, stack=8 * MIB, cpu_seconds=sys.maxsize)

Pipes = tuple[int, int]  # of one keeper: where its questions come from, and its answers go to


def forked(work: Callable[..., None], *arguments: Any) -> int:
    """The number of a fork of this process that does some work and ends."""
    child = os.fork()
    if child == 0:
        try:
            work(*arguments)
        finally:
            os._exit(0)
    return child


def nurse(
    pipes: Sequence[Pipes],
    folder: str,
    caller: int,
    level: str,
    readable: Sequence[str],
    answer: Callable[[Any], Any],
) -> None:
    """Fork the keepers, wait for their end or the caller's, and leave nothing behind."""
    os.setsid()  # Ctrl-C is for the caller, who ends this
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    end_with_parent(caller, signal.SIGTERM)
    close_all_but(*(end for ends in pipes for end in ends))
    keepers = set()
    try:
        for ends in pipes:
            scratch = tempfile.mkdtemp(prefix="scratch-", dir=folder)
            keepers.add(forked(_keep, ends, scratch, os.getpid(), level, readable, answer))
        for ends in pipes:
            for end in ends:
                os.close(end)
        while keepers:
            keepers.discard(os.wait()[0])
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for keeper in keepers:
            os.kill(keeper, signal.SIGKILL)
        remove(folder, LEFTOVER_SECONDS)


def _keep(
    pipes: Pipes,
    scratch: str,
    nursery: int,
    level: str,
    readable: Sequence[str],
    answer: Callable[[Any], Any],
) -> None:
    """Isolate this process, and have workers answer until the caller is gone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    there, back = pipes
    close_all_but(there, back)
    end_with_parent(nursery)
    quiet = os.open(os.devnull, os.O_RDWR)
    taken = address_space()
    try:
        enter(level, scratch, _LIMITS, readable=readable)
    except IsolationError as error:
        write_frame(back, REFUSED, str(error).encode())
        return
    if level != STRONG:
        end_with_parent(nursery)  # a change of user has made the kernel forget it
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    write_frame(back, ANSWERED)
    worker: _Worker | None = None
    with contextlib.suppress(Closed, BrokenPipeError):
        while True:
            question, seconds, memory = pickle.loads(read_frame(there)[1])
            used = worker is not None
            while True:
                worker = worker or _Worker(_tried(answer), taken)
                why, found = _asked(worker, question, seconds, memory)
                if why not in BEYOND:
                    break
                worker.close()
                worker = None
                if why == TIME or not used:
                    break
                used = False  # what was left of other questions may have been at fault
            write_frame(back, ANSWERED, json.dumps([why, found]).encode())


class _Worker(LimitedFork):
    def _confine(self, *kept: int) -> None:
        confine_program(_LIMITS, kept)

    def _reap(self, child: int) -> int:
        return clean_up(child)


def _tried(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def tried(question: Any) -> tuple[str | None, Any]:
        try:
            return None, answer(question)
        except (MemoryError, RecursionError):  # also nested too deeply for its stack
            raise MemoryError from None
        except Exception as error:
            return RAISED, in_words(error)

    return tried


def in_words(error: Exception) -> str:
    """An exception on one line, not too long.

    >>> in_words(LookupError("\\n*****\\n  no such file: \\n  x"))
    'LookupError: no such file: x'
    """
    said = " ".join(word for word in str(error).split() if word.strip("*"))
    return f"{type(error).__name__}: {said[:LONGEST_REASON]}"


def _asked(
    worker: LimitedFork, question: Any, seconds: float, memory: int
) -> tuple[str | None, Any]:
    """What became of the question, None where it is answered; and the answer, or what was raised."""
    try:
        why, found = worker.ask(question, seconds, memory, WALL_FACTOR * seconds + WALL_SECONDS)
    except Crashed:
        return CRASHED, None
    except BeyondLimits as error:
        return str(error), None
    except (ValueError, TypeError):  # forged
        return CRASHED, None
    return (None, found) if why is None else (RAISED, found)
