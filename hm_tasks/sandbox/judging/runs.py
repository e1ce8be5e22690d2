"""How the runs of programs went, whatever they do to what runs them."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator
from hashlib import sha256

from hm_metrics.verdict import FAIL, PASS, TIMEOUT, UNSCORED
from hm_tasks.sandbox.inside.program import WALL_FACTOR, Run
from hm_tasks.sandbox.judging.behaviour import BROKE_RUNNER, FORGED, OUT_OF_TIME, RETURNED, WRONG
from hm_tasks.sandbox.judging.comparer import Comparer
from hm_tasks.sandbox.judging.held import Held
from hm_tasks.sandbox.judging.isolated import NotCleaned, RunnerGone, Runners
from hm_tasks.sandbox.judging.limited import BeyondLimits
from hm_tasks.sandbox.judging.oracle import Oracle
from hm_tasks.sandbox.wire.frames import LATE, LOADED, OUTPUT, RAISED

# Beyond what a program may take on the wall its runner is waited for so long: it keeps the limits.
BESIDE_SECONDS = 30.0
NAMES = {"base_input": "base", "plus_input": "extra"}
# The exception of evalplus's limits, as a program raises it.
TIMEOUT_EXCEPTION = "TimeoutException"


@dataclasses.dataclass(frozen=True)
class Ran:
    """How one kind of tests went: a status and a reason as in a verdict, and what was given.

    `ended` is one of `behaviour`'s words; OUT_OF_TIME where the program did not keep to its time, or
    ended without a word.
    """

    status: str
    reason: str
    ended: str
    outputs: list[bytes]


class ProgramRuns:
    """Runs programs of one problem after another.

    Args:
        lock: a file; a second run holds it alone.
        behind: whether a run whose time ran out says nothing, as a model that generates may have had it.
    """

    def __init__(self, runners: Runners, lock: str, behind: bool) -> None:
        self._runners, self._behind = runners, behind
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)

    def of(self, held: Held, run: Run) -> Ran | None:
        """How it went; where the runner died, in a fresh one.

        If that dies, too, but not of a program that does nothing, it is this program's doing.
        """
        try:
            return self._confirmed(held, run)
        except RunnerGone:
            self._runners.end(run.light)
        if self._behind:
            return None
        try:
            return self._confirmed(held, run)
        except RunnerGone as error:
            reason = f"{NAMES[run.kind]} tests: the program ended what runs it ({error})"
        self._runners.end(run.light)
        try:
            self._once(held, dataclasses.replace(run, program=""), ends_when_late=True)
        except RunnerGone as error:
            self._runners.end(run.light)
            return Ran(UNSCORED, f"the runner died ({error})", "", [])
        return Ran(FAIL, reason, BROKE_RUNNER, [])

    def _confirmed(self, held: Held, run: Run) -> Ran | None:
        """How it went; where time ran out, by a second run.

        No other runs beside that, unless the first one hardly computed: a program that sleeps or
        waits is late on any machine, and must not make all others wait.
        """
        with self._holding(fcntl.LOCK_SH):
            ran = self._once(held, run, ends_when_late=True)
        if ran.ended != OUT_OF_TIME:
            return ran
        if self._behind:
            return None
        spent = self._runners.get(run.light).spent
        with self._holding(fcntl.LOCK_SH if spent and spent.idle else fcntl.LOCK_EX):
            return self._once(held, run, ends_when_late=False)

    @contextlib.contextmanager
    def _holding(self, how: int) -> Iterator[None]:
        fcntl.flock(self._lock, how)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _once(self, held: Held, run: Run, ends_when_late: bool) -> Ran:
        """One run.

        Args:
            ends_when_late: a time limit that strikes ends it, even if the program would go on: how
                it would is for a run beside which nothing makes it late.
        """
        try:
            return self._followed(held, run, ends_when_late)
        except NotCleaned:
            self._runners.end(run.light)
            reason = f"{NAMES[run.kind]} tests: the program left files that cannot be removed"
            return Ran(FAIL, reason, BROKE_RUNNER, [])

    def _followed(self, held: Held, run: Run, ends_when_late: bool) -> Ran:
        problem, values = held.problem, held.values[run.kind]
        oracle = Oracle(problem.oracle, problem.entry_point, problem.atol)
        inputs = getattr(problem, run.kind)
        name, right, loaded = NAMES[run.kind], 0, False
        given: list[bytes] = []
        messages = self._runners.get(run.light).run(run, WALL_FACTOR * run.budget + BESIDE_SECONDS)
        try:
            with (
                contextlib.closing(messages),
                Comparer(oracle, inputs, values, held.fingerprints) as comparer,
            ):
                for kind, content in messages:
                    test = f"{name} test {right + 1}"
                    if kind == LOADED:
                        loaded = True
                    elif kind == LATE and ends_when_late:
                        return Ran(FAIL, f"{test}: out of time", OUT_OF_TIME, given)
                    elif kind == RAISED:
                        return Ran(FAIL, *_raised(content, loaded, test), given)
                    elif kind == OUTPUT:
                        try:
                            is_right, fingerprint = comparer.compare(right, content)
                        except BeyondLimits as error:
                            given.append(sha256(content).digest())  # nobody has read it
                            reason = f"{test}: the output takes too much {error} to compare"
                            return Ran(FAIL, reason, WRONG, given)
                        given.append(fingerprint)
                        if not is_right:
                            reason = f"{test} of {len(values)} failed"
                            return Ran(FAIL, reason, WRONG, given)
                        right += 1
        except ValueError:
            return Ran(FAIL, "the program wrote into the stream of results", FORGED, given)
        except TimeoutError:
            reason = f"{name} tests: out of time after {right} of {len(values)}"
            return Ran(TIMEOUT, reason, OUT_OF_TIME, given)
        if right == len(values) and loaded:
            return Ran(PASS, "", RETURNED, given)
        # It ended without a word, by itself or by a limit; for evalplus that is a timeout.
        reason = f"{name} tests: the process ended after {right} of {len(values)}"
        return Ran(TIMEOUT, reason, OUT_OF_TIME, given)


def _raised(content: bytes, loaded: bool, test: str) -> tuple[str, str]:
    """The reason, and how it ended."""
    name = content.decode(errors="replace")
    if name == TIMEOUT_EXCEPTION:
        return f"{test}: out of time", OUT_OF_TIME
    if not loaded:
        reason = f"the program does not load, or does not define the function ({name})"
        return reason, f"does not load {name}"
    return f"{test} raised {name}", f"raised {name}"
