"""Work on what strangers have sent, in a fork of this process, within limits of time and memory.

    >>> with LimitedFork(len) as fork:
    ...     fork.ask("abc", seconds=1.0, memory=1 << 28)
    3

No count of bytes says how long a parser or a comparison takes, or how much memory: numbers with huge
exponents, wide arrays and nested brackets are cheap to send. So the kernel keeps the limits, and what
they end is this fork and not the process that asks.

Sources: setitimer(2), setrlimit(2), signal(7): SIGPROF and SIGSEGV end a process.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from hm_tasks.sandbox.isolation import end_with_parent, offer_to_oom_killer
from hm_tasks.sandbox.wire.frames import Closed, read_frame, write_frame

_QUESTION, _ANSWER, _MEMORY = b"?", b"!", b"m"
_STATM = "/proc/self/statm"


class BeyondLimits(RuntimeError):
    """The work took more than it may; the message says of what."""


class LimitedFork:
    """A fork of this process that answers one question after another.

    Args:
        answer: what is asked; it runs in the fork, with all that this process holds now. Questions
            and answers are this program's own values.
    """

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.cpu = 0.0  # seconds that it has computed
        there, self._questions = os.pipe()
        self._answers, back = os.pipe()
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            try:
                _close_all_but(there, back)
                end_with_parent(parent)
                offer_to_oom_killer()
                _serve(answer, there, back)
            finally:
                os._exit(0)
        os.close(there)
        os.close(back)

    def ask(self, question: Any, seconds: float, memory: int) -> Any:
        """The answer.

        Args:
            seconds: that it may compute.
            memory: bytes that it may take beside what this process has.

        Raises:
            BeyondLimits: it took more, or crashed; the fork has ended.
        """
        try:
            write_frame(self._questions, _QUESTION, pickle.dumps((question, seconds, memory)))
            kind, content = read_frame(self._answers)
        except (Closed, OSError):
            status = self._wait()
            late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (
                signal.SIGPROF,
                signal.SIGXCPU,
            )
            raise BeyondLimits("time" if late else "memory") from None
        if kind == _MEMORY:
            raise BeyondLimits("memory")
        self.cpu, found = pickle.loads(content)
        return found

    def close(self) -> None:
        """End it, whatever it is at."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        for descriptor in (self._questions, self._answers):
            os.close(descriptor)
        _, status = os.waitpid(self._child, 0)
        self._child = 0
        return status

    def __enter__(self) -> LimitedFork:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _serve(answer: Callable[[Any], Any], questions: int, answers: int) -> None:
    gc.freeze()  # so that collecting does not touch, and copy, every page
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            question, seconds, memory = pickle.loads(read_frame(questions)[1])
        except Closed:
            return
        _limit(seconds, memory)
        try:
            found = answer(question)
        except MemoryError:
            write_frame(answers, _MEMORY)
        else:
            signal.setitimer(signal.ITIMER_PROF, 0)
            write_frame(answers, _ANSWER, pickle.dumps((time.process_time(), found)))


def _limit(seconds: float, memory: int) -> None:
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 0.001))
    # A second one, that no signal handler of a library could take.
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = math.ceil(time.process_time() + seconds) + 1
    if hard == resource.RLIM_INFINITY or soft <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    if sys.platform.startswith("linux"):
        with open(_STATM) as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = taken + memory
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        with contextlib.suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _close_all_but(*kept: int) -> None:
    # It must not keep this process's pipes open after it is gone.
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
