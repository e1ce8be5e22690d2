"""The trusted process that judges programs: `python -m hm_tasks.sandbox.judging.judge`.

It holds the expected outputs and never runs a model's code: programs run in a runner of its own, which
is isolated, and what they give comes back as plain data (`hm_tasks.sandbox.wire.plain`). Problems and
programs come on standard input, verdicts leave on standard output (`hm_tasks.sandbox.judging.judge_process`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pickle
import signal
import sys
from collections.abc import Iterator, Sequence

from hm_metrics.verdict import FAIL, PASS, TIMEOUT, UNSCORED, Verdict
from hm_tasks.sandbox.extraction import TooMuch, extract_programs
from hm_tasks.sandbox.inside.program import WALL_FACTOR, Run
from hm_tasks.sandbox.isolation import IsolationError, Limits, end_with_parent
from hm_tasks.sandbox.isolation.leftovers import remove
from hm_tasks.sandbox.judging.behaviour import (
    BROKE_RUNNER,
    FORGED,
    OUT_OF_TIME,
    RETURNED,
    WRONG,
    digest_of,
)
from hm_tasks.sandbox.judging.comparer import Comparer, unread_fingerprint
from hm_tasks.sandbox.judging.expected import BrokenReference
from hm_tasks.sandbox.judging.held import Held, hold
from hm_tasks.sandbox.judging.isolated import (
    LEFTOVER_SECONDS,
    NotCleaned,
    Runner,
    RunnerGone,
    Runners,
    make_run_folder,
)
from hm_tasks.sandbox.judging.limited import BeyondLimits
from hm_tasks.sandbox.judging.oracle import Oracle
from hm_tasks.sandbox.problem import KINDS, Problem
from hm_tasks.sandbox.store import Store
from hm_tasks.sandbox.wire.frames import (
    LATE,
    LOADED,
    OUTPUT,
    PROBLEM,
    RAISED,
    Closed,
    read_frame,
    write_frame,
)

LOWEST_PRIORITY = 19
# Beyond what a program may take on the wall its runner is waited for so long: it keeps the limits.
BESIDE_SECONDS = 30.0
NAMES = {"base_input": "base", "plus_input": "extra"}
# The exception of evalplus's limits, as a program raises it.
TIMEOUT_EXCEPTION = "TimeoutException"


@dataclasses.dataclass(frozen=True)
class Ran:
    """How one kind of tests went: a status and a reason as in a verdict, and what was given.

    `end` is one of `behaviour`'s words; OUT_OF_TIME where the program did not keep to its time, or
    ended without a word.
    """

    status: str
    reason: str
    end: str
    outputs: list[bytes]


class Judge:
    """Judges programs of one problem after another.

    Args:
        folder: for scratch folders and for the lock that a second run holds alone.
        behind: whether this process gives way to a model that generates: then time may run out
            because nothing was left of it, and so a program whose time ran out gets no verdict.
    """

    def __init__(
        self, level: str, limits: Limits, hidden: Sequence[str], folder: str, behind: bool = False
    ) -> None:
        self._behind, self._level = behind, level
        self._store = Store()
        make_run_folder(folder)
        self._lock = os.open(os.path.join(folder, "alone"), os.O_RDWR | os.O_CREAT, 0o600)
        self._runners = Runners(level, limits, hidden, folder)
        self._problem: Problem | None = None
        self._held: Held | None = None
        self._found: dict[str, Verdict] = {}

    def close(self) -> None:
        self._runners.close()

    def take(self, problem: Problem) -> None:
        """Hold this problem from now on."""
        self._problem, self._held, self._found = problem, None, {}

    def judge(
        self, texts: list[str], sanitize: bool = False, known: Sequence[Verdict] = ()
    ) -> list[Verdict | None]:
        """One verdict for each text on the problem held; None for what is to be run again later.

        Args:
            sanitize: whether the program is to be taken out of each text first.
            known: verdicts on programs that need not be run again.
        """
        assert self._problem is not None, "a problem comes first"
        self._found |= {verdict.program: verdict for verdict in known}
        self._refusal = ""  # why nothing can be run
        programs: list[str | TooMuch] = list(texts)
        if sanitize:
            programs = extract_programs(texts, self._problem.entry_point)
        found = {
            program: self._verdict(self._problem, program) for program in dict.fromkeys(programs)
        }
        return [found[program] for program in programs]

    def _verdict(self, problem: Problem, program: str | TooMuch) -> Verdict | None:
        """What is known of a program, or is found out now; None where it is to be run again."""
        if isinstance(program, TooMuch):
            return Verdict("", FAIL, FAIL, program.reason)
        if not program.strip():
            return Verdict(program, FAIL, FAIL, "no program in the text")
        known = self._found.get(program) or self._store.verdict(problem, program, self._level)
        if known is None:
            known = self._new_verdict(problem, program)
        if known is not None and UNSCORED not in (known.base_status, known.plus_status):
            self._found[program] = known
        return known

    def _new_verdict(self, problem: Problem, program: str) -> Verdict | None:
        if not self._refusal:
            try:
                return self._judged(self._hold(problem), program)
            except (BrokenReference, RunnerGone, IsolationError) as error:
                self._refusal = str(error)
        return None if self._behind else _unscored(program, self._refusal)

    def _hold(self, problem: Problem) -> Held:
        """The problem with what is expected, which is found out where a program is to be run.

        Raises:
            BrokenReference: the reference solution does not run.
            RunnerGone: no runner can be started here.
        """
        if self._held is None:
            inputs = {kind: getattr(problem, kind) for kind in KINDS}
            self._runners.give(inputs, None)
            try:
                held = hold(problem, self._store, self._full_runner)
            except RunnerGone:
                self._runners.end(light=False)
                held = hold(problem, self._store, self._full_runner)
            self._runners.give(inputs, held.allowed)
            self._held = held
        return self._held

    def _full_runner(self) -> Runner:
        return self._runners.get(light=False)

    def _judged(self, held: Held, program: str) -> Verdict | None:
        found = []
        for run in held.runs(program):
            ran = self._survived(held, run)
            if ran is None:
                return None
            if ran.status == UNSCORED:
                return _unscored(program, ran.reason)
            found.append(ran)
        base, plus = found
        behaviour = digest_of((ran.outputs, ran.end) for ran in found)
        return Verdict(program, base.status, plus.status, base.reason or plus.reason, behaviour)

    def _survived(self, held: Held, run: Run) -> Ran | None:
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
        if ran.end != OUT_OF_TIME:
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
                            given.append(unread_fingerprint(content))
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


def _unscored(program: str, reason: str) -> Verdict:
    return Verdict(program, UNSCORED, UNSCORED, reason)


def _raised(content: bytes, loaded: bool, test: str) -> tuple[str, str]:
    """The reason, and how it ended."""
    name = content.decode(errors="replace")
    if name == TIMEOUT_EXCEPTION:
        return f"{test}: out of time", OUT_OF_TIME
    if not loaded:
        reason = f"the program does not load, or does not define the function ({name})"
        return reason, f"does not load {name}"
    return f"{test} raised {name}", f"raised {name}"


def main() -> None:
    jobs, answers = os.dup(0), os.dup(1)
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(quiet, descriptor)
    level, limits, hidden, folder, behind, caller = pickle.loads(read_frame(jobs)[1])
    # Not by force, so that nothing of the run is left on disk when the caller is killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    end_with_parent(caller, signal.SIGTERM)
    if behind:
        os.nice(LOWEST_PRIORITY)
    judge = Judge(level, limits, hidden, folder, behind)
    try:
        with contextlib.suppress(Closed, BrokenPipeError):
            while True:
                kind, content = read_frame(jobs)
                question = pickle.loads(content)
                answer = None
                if kind == PROBLEM:
                    judge.take(question)
                else:
                    answer = judge.judge(*question)
                write_frame(answers, kind, pickle.dumps(answer))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        judge.close()
        if os.getppid() != caller:
            remove(folder, LEFTOVER_SECONDS)


if __name__ == "__main__":
    main()
