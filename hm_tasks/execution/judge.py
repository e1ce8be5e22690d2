"""The trusted process that judges programs: `python -m hm_tasks.execution.judge`.

It holds the expected outputs and never runs a model's code: programs run in a runner of its own, which
is isolated, and what they give comes back as plain data (`hm_tasks.execution.plain`). Jobs come on
standard input, verdicts leave on standard output (`hm_tasks.execution.pool`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pickle
import time
from collections.abc import Iterator
from typing import Any

from hm_tasks.execution.behaviour import (
    FORGED,
    OUT_OF_TIME,
    RETURNED,
    WRONG,
    Fingerprints,
    digest_of,
)
from hm_tasks.execution.expected import BrokenReference, expected_of, wants_set
from hm_tasks.execution.extract import extract_program
from hm_tasks.execution.frames import (
    LOADED,
    OUTPUT,
    RAISED,
    Closed,
    read_frame,
    write_frame,
)
from hm_tasks.execution.isolated import Runner, RunnerGone
from hm_tasks.execution.isolation import IsolationError, Limits
from hm_tasks.execution.oracle import Oracle
from hm_tasks.execution.plain import Opaque, PlainError, decode
from hm_tasks.execution.problem import FAIL, KINDS, PASS, TIMEOUT, UNSCORED, Problem, Verdict
from hm_tasks.execution.program import WALL_FACTOR, Run
from hm_tasks.execution.store import Store

# evalplus 0.3.1, config.py and eval/__init__.py: a test may take this multiple of the reference's time,
# and at least so long; all tests of one kind at most so long, and a second for starting.
TIME_FACTOR, MIN_SECONDS, MAX_SECONDS, START_SECONDS = 4.0, 1.0, 60.0, 1.0
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
    """Judges the texts of one problem after another."""

    def __init__(self, level: str, limits: Limits, hidden: list[str], lock: str) -> None:
        self._settings = (level, limits, hidden)
        self._store = Store()
        self._lock = os.open(lock, os.O_RDWR)
        self._runner = Runner(*self._settings)

    def close(self) -> None:
        self._runner.close()

    def judge(self, problem: Problem, programs: list[str]) -> list[Verdict]:
        """One verdict for each program.

        Raises:
            BrokenReference: the reference solution does not run.
            RunnerGone: no runner can be started here.
        """
        expected = expected_of(problem, self._store)
        values = {kind: [decode(data) for data in expected[kind].outputs] for kind in KINDS}
        limits = {
            kind: [max(MIN_SECONDS, TIME_FACTOR * t) for t in expected[kind].seconds]
            for kind in KINDS
        }
        fingerprints = Fingerprints()
        try:
            self._give_inputs(problem)
        except RunnerGone:
            self._replace_runner(problem)

        def verdict(program: str) -> Verdict:
            found = []
            for kind in KINDS:
                run = Run(
                    program,
                    problem.entry_point,
                    kind,
                    limits[kind],
                    min(MAX_SECONDS, sum(limits[kind])) + START_SECONDS,
                    wants_set(problem),
                )
                try:
                    found.append(self._confirmed(problem, run, values[kind], fingerprints))
                except RunnerGone as error:
                    self._replace_runner(problem)
                    return Verdict(program, UNSCORED, UNSCORED, f"the runner died ({error})")
            base, plus = found
            behaviour = digest_of((ran.outputs, ran.end) for ran in found)
            return Verdict(program, base.status, plus.status, base.reason or plus.reason, behaviour)

        return [verdict(program) for program in programs]

    def _give_inputs(self, problem: Problem) -> None:
        self._runner.set_inputs({kind: getattr(problem, kind) for kind in KINDS})

    def _confirmed(
        self, problem: Problem, run: Run, values: list, fingerprints: Fingerprints
    ) -> Ran:
        """How it went; where time ran out, by a second run beside which no other runs."""
        with self._holding(fcntl.LOCK_SH):
            ran = self._once(problem, run, values, fingerprints)
        if ran.end == OUT_OF_TIME:
            with self._holding(fcntl.LOCK_EX):
                ran = self._once(problem, run, values, fingerprints)
        return ran

    @contextlib.contextmanager
    def _holding(self, how: int) -> Iterator[None]:
        fcntl.flock(self._lock, how)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _once(self, problem: Problem, run: Run, values: list, fingerprints: Fingerprints) -> Ran:
        oracle = Oracle(problem.oracle, problem.entry_point, problem.atol)
        inputs = getattr(problem, run.kind)
        name, right, loaded = NAMES[run.kind], 0, False
        given: list[bytes] = []
        messages = self._runner.run(run, time.monotonic() + WALL_FACTOR * run.budget)
        try:
            with contextlib.closing(messages):
                for kind, content in messages:
                    if kind == LOADED:
                        loaded = True
                    elif kind == RAISED:
                        return Ran(
                            FAIL, *_raised(content, loaded, f"{name} test {right + 1}"), given
                        )
                    elif kind == OUTPUT:
                        output = _read(content)
                        given.append(fingerprints.of(content, output))
                        if right == len(values) or not oracle.matches(
                            inputs[right], output, values[right]
                        ):
                            reason = f"{name} test {right + 1} of {len(values)} failed"
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

    def _replace_runner(self, problem: Problem) -> None:
        self._runner.close()
        self._runner = Runner(*self._settings)
        self._give_inputs(problem)


def _read(content: bytes) -> Any:
    try:
        return decode(content)
    except PlainError:
        # Such as a set whose elements lie about their hash: it is something, but equals nothing.
        return Opaque("unreadable")


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
    judge: Any = Judge(*pickle.loads(read_frame(jobs)[1]))
    try:
        while True:
            kind, content = read_frame(jobs)
            write_frame(answers, kind, pickle.dumps(_answer(judge, kind, content)))
    except Closed:
        judge.close()


EXTRACT, JUDGE = b"T", b"J"


def _answer(judge: Judge, kind: bytes, content: bytes) -> Any:
    """Programs of texts, or verdicts of programs; text that says why not."""
    if kind == EXTRACT:
        entry_point, texts = pickle.loads(content)
        return [extract_program(text, entry_point) for text in texts]
    problem, programs = pickle.loads(content)
    try:
        return judge.judge(problem, programs)
    except (BrokenReference, RunnerGone, IsolationError) as error:
        return str(error)


if __name__ == "__main__":
    main()
