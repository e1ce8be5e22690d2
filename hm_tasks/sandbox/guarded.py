"""Work on a model's texts in isolated forks of this process, within limits for each question.

    with Guarded(grade, level="strong") as guarded:       # early: before anything starts threads
        future = guarded.add(text, seconds=5.0, memory=1 << 30)   # returns at once
        future.result()                                    # what grade(text) returns, or a NoAnswer

What reads a model's answer may evaluate it: parsers of mathematics do, and a task's own code may do
anything. So it runs in forks of this process as it was when the pool was made, which need nothing
from outside but the question:

    this process -> nursery -> keepers, one a core: isolated, keep the time -> worker: answers

Who these are: `hm_tasks.sandbox.keeping`. Questions are pickled, for they are our own; answers are read
as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pickle
import queue
import signal
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from hm_tasks.sandbox.isolation.leftovers import remove
from hm_tasks.sandbox.isolation.limits import IsolationError
from hm_tasks.sandbox.judging.isolated import LEFTOVER_SECONDS, make_run_folder
from hm_tasks.sandbox.judging.judge_process import usable_cores
from hm_tasks.sandbox.judging.limited import MEMORY, TIME
from hm_tasks.sandbox.keeping import ASKED, BEYOND, CRASHED, RAISED, REFUSED, forked, nurse
from hm_tasks.sandbox.wire.frames import Closed, read_frame, write_frame

GONE = "gone"

_Asked = queue.SimpleQueue["tuple[bytes, Future[Any]] | None"]


@dataclasses.dataclass(frozen=True)
class NoAnswer:
    """Why a question has no answer.

    Attributes:
        why: TIME, MEMORY or CRASHED, which are the question's own doing; RAISED: the work raised an
            exception; GONE: nobody is left to ask, which is no question's doing.
        reason: the same in words.
    """

    why: str
    reason: str

    @property
    def beyond_limits(self) -> bool:
        return self.why in BEYOND


_BEYOND = {
    TIME: NoAnswer(TIME, "it takes too much time"),
    MEMORY: NoAnswer(MEMORY, "it takes too much memory"),
    CRASHED: NoAnswer(CRASHED, "it ends the process that works on it"),
}
_GONE = NoAnswer(GONE, "the processes that work on it have ended")


class Guarded:
    """A pool of isolated forks that answer questions; use it as a context, in a thread that lasts.

    Args:
        answer: what is asked; whatever it reaches is as it was when this pool was made. It returns
            what JSON knows.
        level: a level of isolation that has been proven here.
        readable: files and folders that the work may read beside Python and its packages.
        n_keepers: how many questions are worked on at a time, by default one a core.

    Raises:
        IsolationError: the level is not to be had for a fork of this process.
    """

    def __init__(
        self,
        answer: Callable[[Any], Any],
        level: str,
        readable: Iterable[str] = (),
        n_keepers: int | None = None,
    ) -> None:
        all_ends = [_Ends() for _ in range(n_keepers or usable_cores())]
        folder = tempfile.mkdtemp(prefix="hm-guarded-")
        make_run_folder(folder)
        caller = os.getpid()
        theirs = [(ends.there, ends.back) for ends in all_ends]
        nursery = forked(nurse, theirs, folder, caller, level, tuple(readable), answer)
        for ends in all_ends:
            ends.close_theirs()
        self._asked: _Asked = queue.SimpleQueue()
        living = list(all_ends)
        self._threads = [
            threading.Thread(target=_work, args=(self._asked, ends, living), daemon=True)
            for ends in all_ends
        ]
        arguments = (caller, nursery, self._asked, self._threads, folder)
        self._end = weakref.finalize(self, _end, *arguments)
        self._started = False
        if refusal := next(filter(None, [ends.refusal() for ends in all_ends]), ""):
            self.close()
            raise IsolationError(refusal)

    def add(self, question: Any, seconds: float, memory: int) -> Future[Any]:
        """Ask; returns at once. The future's result is the answer, or a NoAnswer.

        Args:
            seconds: that finding the answer may compute.
            memory: bytes that it may take beside what this process had.
        """
        if not self._started:  # forks come before threads
            self._started = True
            for thread in self._threads:
                thread.start()
        future: Future[Any] = Future()
        if self._end.alive:
            self._asked.put((pickle.dumps((question, seconds, memory)), future))
        else:
            future.set_result(_GONE)
        return future

    def close(self) -> None:
        """End all of its processes; what is not answered yet is answered by a NoAnswer."""
        self._end()

    def __enter__(self) -> Guarded:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Ends:
    """The pipes between this process and one keeper."""

    def __init__(self) -> None:
        self.there, self._questions = os.pipe()
        self._answers, self.back = os.pipe()

    def close_theirs(self) -> None:
        os.close(self.there)
        os.close(self.back)

    def close(self) -> None:
        os.close(self._questions)
        os.close(self._answers)

    def refusal(self) -> str:
        """Wait for the keeper to be isolated: why it cannot be, or nothing."""
        try:
            kind, said = read_frame(self._answers)
        except Closed:
            return "A process that was to be isolated ended at once."
        return said.decode() if kind == REFUSED else ""

    def ask(self, content: bytes) -> Any:
        try:
            write_frame(self._questions, ASKED, content)
            _, said = read_frame(self._answers)
            why, found = json.loads(said)
        except (Closed, OSError, ValueError):
            return _GONE
        if why is None:
            return found
        return _BEYOND.get(why) or NoAnswer(RAISED, str(found))


def _work(asked: _Asked, ends: _Ends, living: list[_Ends]) -> None:
    """What a thread of the caller does: it has one keeper answer questions, until there are none."""
    while (taken := asked.get()) is not None:
        content, future = taken
        if not future.set_running_or_notify_cancel():
            continue
        found = ends.ask(content)
        future.set_result(found)
        if found is _GONE and ends in living:
            living.remove(ends)
            if living:  # they go on
                break
            living.append(ends)
    ends.close()


def _end(
    caller: int, nursery: int, asked: _Asked, threads: list[threading.Thread], folder: str
) -> None:
    if os.getpid() != caller:  # a fork that has a copy of the pool
        return
    with contextlib.suppress(queue.Empty):
        while True:
            taken = asked.get_nowait()
            if taken is not None:
                taken[1].set_result(_GONE)
    for _ in threads:
        asked.put(None)
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(nursery, signal.SIGTERM)
        os.waitpid(nursery, 0)
    remove(folder, LEFTOVER_SECONDS)  # if somebody has killed the nursery
