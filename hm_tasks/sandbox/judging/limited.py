"""Work on what strangers have sent, in a fork of this process, within limits of time and memory.

    >>> with LimitedFork(len) as fork:
    ...     fork.ask("abc", seconds=1.0, memory=1 << 28)
    3

No count of bytes says how long a parser or a comparison takes, or how much memory: numbers with huge
exponents, wide arrays and nested brackets are cheap to send. So the kernel keeps the limits, and what
they end is this fork and not the process that asks. What comes back is read as JSON, for whatever was
sent may have got hold of the fork.

Sources: setitimer(2), setrlimit(2), signal(7): SIGPROF and SIGSEGV end a process.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from hm_tasks.sandbox.isolation.levels import close_all_but, end_with_parent, offer_to_oom_killer
from hm_tasks.sandbox.wire.frames import Closed, read_frame, write_frame

_QUESTION, _ANSWER, _MEMORY = b"?", b"!", b"m"
_STATM = "/proc/self/statm"
_MOST_BYTES = 1 << 26  # of an answer, which a forged one could go beyond

TIME, MEMORY = "time", "memory"


class BeyondLimits(RuntimeError):
    """The work took more than it may; the message says of what: TIME or MEMORY."""


class Crashed(BeyondLimits):
    """The fork ended without a word, of too much memory as far as its limits are concerned."""


class LimitedFork:
    """A fork of this process that answers one question after another.

    Args:
        answer: what is asked; it runs in the fork, with all that this process holds now. Questions are
            this program's own values, answers are what JSON knows.
        taken: bytes of address space that this process has, where a fork cannot look it up.
    """

    def __init__(self, answer: Callable[[Any], Any], taken: int = 0) -> None:
        self.cpu = 0.0  # seconds that it has computed
        there, self._questions = os.pipe()
        self._answers, back = os.pipe()
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            try:
                end_with_parent(parent)
                offer_to_oom_killer()
                self._confine(there, back)
                _serve(answer, there, back, taken)
            finally:
                os._exit(0)
        os.close(there)
        os.close(back)

    def ask(self, question: Any, seconds: float, memory: int, wall: float | None = None) -> Any:
        """The answer.

        Args:
            seconds: that it may compute.
            memory: bytes that it may take beside what this process has.
            wall: seconds on the wall after which it is not waited for any more.

        Raises:
            BeyondLimits: it took more, or crashed; the fork is to be closed.
        """
        try:
            write_frame(self._questions, _QUESTION, pickle.dumps((question, seconds, memory)))
            wait = bool if wall is None else _waiting(self._answers, wall)
            kind, content = read_frame(self._answers, wait, _MOST_BYTES)
        except TimeoutError:
            raise BeyondLimits(TIME) from None
        except (Closed, OSError):
            status = self._wait()
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGXCPU):
                raise BeyondLimits(TIME) from None
            raise Crashed(MEMORY) from None
        if kind == _MEMORY:
            raise BeyondLimits(MEMORY)
        try:
            self.cpu, found = json.loads(content)
        except (ValueError, TypeError, RecursionError):  # forged
            raise Crashed(MEMORY) from None
        return found

    def close(self) -> None:
        """End it, whatever it is at."""
        if self._child:
            self._wait()

    def _wait(self) -> int:
        for descriptor in (self._questions, self._answers):
            os.close(descriptor)
        child, self._child = self._child, 0
        return self._reap(child)

    def _confine(self, *kept: int) -> None:
        """What the fork does first: it must keep none of this process's pipes open after it is gone."""
        close_all_but(*kept)

    def _reap(self, child: int) -> int:
        """End the fork, if it has not ended by itself, and return its wait status."""
        os.kill(child, signal.SIGKILL)
        return os.waitpid(child, 0)[1]

    def __enter__(self) -> LimitedFork:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _waiting(descriptor: int, wall: float) -> Callable[[], None]:
    until = time.monotonic() + wall

    def wait() -> None:
        if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TimeoutError

    return wait


def _serve(answer: Callable[[Any], Any], questions: int, answers: int, taken: int) -> None:
    gc.freeze()  # so that collecting does not touch, and copy, every page
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            question, seconds, memory = pickle.loads(read_frame(questions)[1])
        except Closed:
            return
        _limit(seconds, memory, taken)
        try:
            found = answer(question)
        except MemoryError:
            write_frame(answers, _MEMORY)
        else:
            signal.setitimer(signal.ITIMER_PROF, 0)
            content = json.dumps([time.process_time(), found])
            write_frame(answers, _ANSWER, content.encode())


def address_space() -> int:
    """Bytes of address space that this process has; 0 where nothing says so."""
    try:
        with open(_STATM) as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux, or isolated
        return 0


def _limit(seconds: float, memory: int, taken: int) -> None:
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 0.001))
    # A second one, that no signal handler of a library could take.
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = math.ceil(time.process_time() + seconds) + 1
    if hard == resource.RLIM_INFINITY or soft <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    taken = address_space() or taken
    if taken:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = taken + memory
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        with contextlib.suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
