"""Time limits of one program, kept by the process beside it.

>>> allowed = Allowed([1.0, 1.0, 4.0], budget=7.0)
>>> allowed.part(WhichTests("base_input", first=1, count=2))
Allowed(tests=[1.0, 4.0], budget=7.0)

A program runs in the process whose timers raise its time limits, so it can turn them off. What
counts is kept here: the kernel's clock of the program's computing, read from outside, and the clock
on the wall, for each test and for the whole run. The messages that the program writes say which test
it is at; a program that forges one has sent an output, and that is judged.

Sources: clock_getcpuclockid(3) and its MAKE_PROCESS_CPUCLOCK for the clock of another process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time

from hm_tasks.sandbox.inside.program import WALL_FACTOR
from hm_tasks.sandbox.wire.frames import HEAD, LOADED, OUTPUT

# What a run may take on the wall beyond its budget while it computes next to nothing: less than this
# part of the time, which a machine that is merely busy gives to anything that wants to compute.
IDLE_SECONDS, IDLE_SHARE = 10.0, 1 / 20
# Beyond a test's limit, of computing and on the wall: its own timers come first, and its messages are
# read a moment later.
GRACE_SECONDS, WALL_GRACE_SECONDS = 0.25, 2.0
# Of the whole: the kernel ends the process there by whole seconds (RLIMIT_CPU).
BUDGET_GRACE_SECONDS = 3.0

_LINUX = sys.platform.startswith("linux")
_CPU_CLOCK = 2  # CPUCLOCK_SCHED: of all threads, as the scheduler counts


@dataclasses.dataclass(frozen=True)
class WhichTests:
    """Which tests a process runs: `count` of one kind from `first` on; all if `count` is None."""

    kind: str
    first: int = 0
    count: int | None = None

    def of(self, values: list) -> list:
        """Theirs among the values of all tests of the kind."""
        return values[self.first :][: self.count]


@dataclasses.dataclass(frozen=True)
class Allowed:
    """Seconds of computing: for each test (None: for all alike), and for all of them together."""

    tests: list[float] | None
    budget: float

    def part(self, tests: WhichTests) -> Allowed:
        """The same for some of the tests."""
        return self if self.tests is None else Allowed(tests.of(self.tests), self.budget)


@dataclasses.dataclass(frozen=True)
class Spent:
    """What a run took: seconds of computing and on the wall; and whether it was ended for that."""

    cpu: float
    wall: float
    late: bool

    @property
    def idle(self) -> bool:
        """Whether it hardly computed, so that it was not for want of a core that time ran out."""
        return _LINUX and self.cpu * WALL_FACTOR < self.wall


class Watch:
    """Keeps the limits of one program, from its start on."""

    def __init__(self, child: int, allowed: Allowed) -> None:
        self._clock = (~child << 3) | _CPU_CLOCK
        self._allowed = allowed
        self._head = bytearray()  # of the message that is coming in
        self._kind, self._left = b"", 0  # of the message whose content is coming in
        self._test = -1  # the test that it is at; before the first it loads
        self._last_cpu = 0.0
        self._not_its_own = 0.0
        self._began = self._wall_then = time.monotonic()
        self._cpu_then = 0.0

    def saw(self, piece: memoryview) -> None:
        """Follow what the program wrote."""
        before = self._test
        while piece:
            if self._left:
                taken = min(self._left, len(piece))
                self._left -= taken
            else:
                taken = min(HEAD.size - len(self._head), len(piece))
                self._head += piece[:taken]
                if len(self._head) < HEAD.size:
                    return
                self._kind, self._left = HEAD.unpack(self._head)
                self._head.clear()
            if not self._left:
                self._count(self._kind)
            piece = piece[taken:]
        if self._test != before:
            self._cpu_then, self._wall_then = self._cpu(), self._wall()

    def _count(self, kind: bytes) -> None:
        if kind == LOADED and self._test < 0:
            self._test = 0
        elif kind == OUTPUT and self._test >= 0:
            self._test += 1

    def leave_out(self, seconds: float) -> None:
        """Time on the wall that the program could not use: it had to wait for us."""
        self._not_its_own += max(0.0, seconds)

    def left(self) -> float:
        """Seconds until a limit may be met; 0 or less if one is."""
        cpu, wall, budget = self._cpu(), self._wall() - self._began, self._allowed.budget
        idle = _LINUX and cpu < wall * IDLE_SHARE
        left = [budget * WALL_FACTOR - wall, budget + BUDGET_GRACE_SECONDS - cpu]
        if idle:
            left.append(budget + IDLE_SECONDS - wall)
        tests = self._allowed.tests
        if tests is not None and self._test >= 0:
            # After its last output it has nothing more to do.
            limit = tests[self._test] if self._test < len(tests) else 0.0
            left += [
                limit + GRACE_SECONDS - (cpu - self._cpu_then),
                limit * WALL_FACTOR + WALL_GRACE_SECONDS - (self._wall() - self._wall_then),
            ]
        return min(left)

    def spent(self, late: bool) -> Spent:
        return Spent(self._cpu(), self._wall() - self._began, late)

    def _wall(self) -> float:
        return time.monotonic() - self._not_its_own

    def _cpu(self) -> float:
        if _LINUX:
            with contextlib.suppress(OSError):  # it is gone
                self._last_cpu = time.clock_gettime(self._clock)
        return self._last_cpu
