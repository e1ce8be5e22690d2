"""The trusted process that judges programs: `python -m hm_tasks.sandbox.judging.judge`.

It holds the expected outputs and never runs a model's code: programs run in a runner of its own, which
is isolated, and what they give comes back as plain data (`hm_tasks.sandbox.wire.plain`). Problems and
programs come on standard input, verdicts leave on standard output (`hm_tasks.sandbox.judging.judge_process`).
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Sequence

from hm_metrics.verdict import FAIL, UNSCORED, Verdict
from hm_tasks.sandbox.isolation.leftovers import remove
from hm_tasks.sandbox.isolation.levels import end_with_parent
from hm_tasks.sandbox.isolation.limits import IsolationError, Limits
from hm_tasks.sandbox.judging.behaviour import digest_of
from hm_tasks.sandbox.judging.expected import BrokenReference
from hm_tasks.sandbox.judging.extraction import TooMuch, extract_programs
from hm_tasks.sandbox.judging.held import Held, hold
from hm_tasks.sandbox.judging.isolated import (
    LEFTOVER_SECONDS,
    RunnerGone,
    RunnerProcess,
    Runners,
    make_run_folder,
)
from hm_tasks.sandbox.judging.runs import ProgramRuns
from hm_tasks.sandbox.problem import KINDS, Problem
from hm_tasks.sandbox.store import VerdictStore
from hm_tasks.sandbox.wire.frames import PROBLEM, Closed, read_frame, write_frame

LOWEST_PRIORITY = 19


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
        self._store = VerdictStore()
        make_run_folder(folder)
        self._runners = Runners(level, limits, hidden, folder)
        self._runs = ProgramRuns(self._runners, os.path.join(folder, "alone"), behind)
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
        if known is not None and known.is_scored:
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

    def _full_runner(self) -> RunnerProcess:
        return self._runners.get(light=False)

    def _judged(self, held: Held, program: str) -> Verdict | None:
        found = []
        for run in held.runs(program):
            ran = self._runs.of(held, run)
            if ran is None:
                return None
            if ran.status == UNSCORED:
                return _unscored(program, ran.reason)
            found.append(ran)
        base, plus = found
        behaviour = digest_of((ran.outputs, ran.ended) for ran in found)
        return Verdict(program, base.status, plus.status, base.reason or plus.reason, behaviour)


def _unscored(program: str, reason: str) -> Verdict:
    return Verdict(program, UNSCORED, UNSCORED, reason)


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
