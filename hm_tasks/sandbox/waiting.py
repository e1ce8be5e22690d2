"""Texts that wait for a verdict, problem by problem: what a worker should take next.

A problem is one worker's at a time, and a worker stays with its problem while more texts of it come, so
that inputs and expected values are read once. While a model still generates, a problem's texts
are left to gather for a moment first.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from hm_metrics.verdict import Verdict
from hm_tasks.sandbox.problem import Problem

GATHER_SECONDS = 3.0  # without another text of a problem; its n samples end at about the same time
IDLE_SECONDS = 30.0  # after which a worker without work ends, and its processes with it
MOST_TEXTS = 16  # that a worker takes at once


@dataclasses.dataclass(eq=False)
class Pending:
    """What has been asked about one problem.

    Attributes:
        futures: of each text's verdict.
        waiting: texts that nobody has taken.
        put_off: texts that ran out of time while the model generated.
        found: verdicts by program, which different texts may share.
    """

    problem: Problem
    futures: dict[str, Future[Verdict]] = dataclasses.field(default_factory=dict)
    waiting: list[str] = dataclasses.field(default_factory=list)
    put_off: list[str] = dataclasses.field(default_factory=list)
    found: dict[str, Verdict] = dataclasses.field(default_factory=dict)
    newest: float = 0.0
    taken: bool = False


class Waiting:
    """A queue between whoever asks for verdicts and the workers that find them.

    Args:
        start_worker: called for one more worker, up to `most_workers`; each calls `take` until that
            returns None.
        generating: whether a model still generates; see `generation_ended`.
    """

    def __init__(
        self, start_worker: Callable[[], object], most_workers: int, generating: bool
    ) -> None:
        self._start_worker, self._most_workers = start_worker, most_workers
        self.generating = generating
        self._asked: dict[int, Pending] = {}
        self._changed = threading.Condition()
        self._workers = self._idle = 0
        self._closed = False

    def add(self, problem: Problem, text: str) -> Future[Verdict]:
        """Ask for a text's verdict, once: the same text of a problem has the same future."""
        with self._changed:
            if self._closed:
                raise RuntimeError("This scorer has ended.")
            # By identity: a problem is as large as its inputs. It is kept, so the number is its own.
            asked = self._asked.setdefault(id(problem), Pending(problem))
            if text not in asked.futures:
                asked.futures[text] = Future()
                asked.waiting.append(text)
                asked.newest = time.monotonic()
                self._wake_one()
            return asked.futures[text]

    def take(self, last: Pending | None) -> tuple[Pending, list[str]] | None:
        """Wait for work and take it; None when this worker is not needed any more.

        Args:
            last: the problem that this worker is with already.
        """
        with self._changed:
            idle_since = time.monotonic()
            self._idle += 1
            try:
                while not self._closed:
                    now = time.monotonic()
                    asked, wait = self._next(last, now)
                    if asked is not None:
                        texts, asked.waiting = (
                            asked.waiting[:MOST_TEXTS],
                            asked.waiting[MOST_TEXTS:],
                        )
                        asked.taken = True
                        return asked, texts
                    left = idle_since + IDLE_SECONDS - now
                    if left <= 0 and wait is None:
                        break
                    self._changed.wait(max(left, 0.0) if wait is None else wait)
                self._workers -= 1
                return None
            finally:
                self._idle -= 1

    def _next(self, last: Pending | None, now: float) -> tuple[Pending | None, float | None]:
        """The problem to go on with, or the seconds until there may be one."""
        free = [asked for asked in self._asked.values() if asked.waiting and not asked.taken]
        gather = GATHER_SECONDS if self.generating else 0.0
        ready = [asked for asked in free if asked.newest + gather <= now]
        if last in ready:
            return last, None
        if ready:
            return ready[0], None
        return None, min((asked.newest + gather - now for asked in free), default=None)

    def give(self, asked: Pending, verdicts: Mapping[str, Verdict | None]) -> None:
        """Give the verdicts of texts that were taken; None puts one off until generation ends."""
        with self._changed:
            self._back(asked)
            for text, verdict in verdicts.items():
                if verdict is not None:
                    if not asked.futures[text].cancelled():
                        asked.futures[text].set_result(verdict)
                elif self.generating:
                    asked.put_off.append(text)
                else:
                    asked.waiting.append(text)
                    self._wake_one()

    def give_up(self, asked: Pending, texts: Sequence[str], error: BaseException) -> None:
        """Raise an error for all who wait for these texts."""
        with self._changed:
            self._back(asked)
            for text in texts:
                if not asked.futures[text].cancelled():
                    asked.futures[text].set_exception(error)

    def _back(self, asked: Pending) -> None:
        asked.taken = False
        if asked.waiting:
            self._wake_one()

    def _wake_one(self) -> None:
        if self._idle == 0 and self._workers < self._most_workers and not self._closed:
            self._workers += 1
            self._start_worker()
        else:
            self._changed.notify()

    def generation_ended(self) -> None:
        """From now on texts are taken at once, those that were put off as well."""
        with self._changed:
            self.generating = False
            for asked in self._asked.values():
                asked.waiting += asked.put_off
                asked.put_off = []
                if asked.waiting and not asked.taken:
                    self._wake_one()
            self._changed.notify_all()

    def close(self) -> None:
        """End all workers; what has no verdict is cancelled."""
        with self._changed:
            self._closed = True
            for asked in self._asked.values():
                for future in asked.futures.values():
                    future.cancel()
            self._changed.notify_all()
