"""Verdicts on many texts: judged in parallel, as they come or all at once, each program once.

    scorer = Scorer(LocalExecutor(level), generating=True)
    scorer.add(problem, text)               # returns at once; judged while the model goes on
    scorer.verdicts([(problem, texts)])     # generation has ended: wait for all of these

What was judged before, in this run or in an earlier one, is not run again (`hm_tasks.sandbox.store`).
"""

from __future__ import annotations

import dataclasses
import functools
import json
import platform
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, as_completed
from typing import Protocol

from tqdm import tqdm

from hm_metrics.verdict import FAIL, UNSCORED, Verdict
from hm_tasks.sandbox.extraction import TooMuch
from hm_tasks.sandbox.isolation.limits import Limits
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.judging.asking import JudgeHandle, ask_for_programs, ask_for_verdicts
from hm_tasks.sandbox.judging.judge_process import LocalExecutor
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.store import Store, key_of
from hm_tasks.sandbox.waiting import Asked, Waiting

JOIN_SECONDS = 10.0  # for workers whose judges have been ended


class Executor(Protocol):
    """Where judges run, and the level of isolation that holds there."""

    level: str
    n_judges: int

    def start(self, behind: bool) -> JudgeHandle: ...

    def close(self) -> None: ...


class Scorer:
    """Finds verdicts on texts in the background, on the judges of an executor.

    Judges start with the first text and end when there is nothing to do, with this object, or with
    the process, however that ends.

    Args:
        sanitize: whether texts are a model's answers, out of which the program is taken first.
        generating: whether a model is generating on this machine: until `verdicts` is called, judges
            run at the lowest priority, and what runs out of time is put off.
    """

    def __init__(self, executor: Executor, sanitize: bool = True, generating: bool = False) -> None:
        finder = _Finder(executor, sanitize)
        threads: list[threading.Thread] = []

        def start_worker() -> None:
            thread = threading.Thread(target=_work, args=(waiting, finder), daemon=True)
            threads.append(thread)
            thread.start()

        self._waiting = waiting = Waiting(start_worker, executor.n_judges, generating)
        # Workers do not hold this object: they end when nobody else does.
        self._end = weakref.finalize(self, _end, waiting, executor, threads)

    def add(self, problem: Problem, text: str) -> Future[Verdict]:
        """Ask for a text's verdict; returns at once. The same text again is the same future."""
        return self._waiting.add(problem, text)

    def verdicts(self, jobs: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[Verdict]]:
        """Wait for the verdicts of each problem's texts, now that no model generates.

        A problem whose check breaks down gives UNSCORED verdicts with the reason; the others go on.

        Raises:
            RuntimeError: judges cannot be started, or their results not be kept.
        """
        self._waiting.generation_ended()
        futures = [[self.add(problem, text) for text in texts] for problem, texts in jobs]
        different = {future for of_problem in futures for future in of_problem}
        for future in tqdm(as_completed(different), "Scoring programs", total=len(different)):
            future.result()
        return [[future.result() for future in of_problem] for of_problem in futures]

    def close(self) -> None:
        """End all judges."""
        self._end()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_all(
    jobs: Sequence[tuple[Problem, Sequence[str]]],
    n_workers: int | None = None,
    isolation: str = "auto",
    sanitize: bool = True,
) -> list[list[Verdict]]:
    """Return, for each (problem, texts), one verdict a text.

    Args:
        n_workers: judges to use; by default one for each core that this process may use.
        isolation: see docs/sandbox.md.
        sanitize: as for `Scorer`.

    Raises:
        IsolationError: that isolation is not to be had here.
    """
    with Scorer(LocalExecutor(choose(isolation), n_workers), sanitize) as scorer:
        return scorer.verdicts(jobs)


def _end(waiting: Waiting, executor: Executor, threads: list[threading.Thread]) -> None:
    waiting.close()
    executor.close()
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(JOIN_SECONDS)


def _work(waiting: Waiting, finder: _Finder) -> None:
    """What a worker does: it takes texts and asks its judge, until there are none."""
    judge: JudgeHandle | None = None
    asked = held = None
    try:
        while taken := waiting.take(asked):
            asked, texts = taken
            try:
                if judge is not None and judge.behind and not waiting.generating:
                    judge.stop()  # a process cannot raise its own priority
                    judge = None
                if judge is None:
                    judge, held = finder.start_judge(behind=waiting.generating), None
                found, held = finder.find(judge, asked, texts, is_held=held is asked)
            except Exception as error:
                held = None
                waiting.give_up(asked, texts, error)
            else:
                waiting.give(asked, found)
    finally:
        if judge is not None:
            judge.stop()


class _Finder:
    """Finds verdicts: among those of the run, in the store, or by asking a judge."""

    def __init__(self, executor: Executor, sanitize: bool) -> None:
        self._executor, self._sanitize = executor, sanitize
        self._storing = threading.Lock()

    def start_judge(self, behind: bool) -> JudgeHandle:
        with self._storing:
            _ = self._store  # opened here first: a damaged file is set aside by one process
        return self._executor.start(behind)

    def find(
        self, judge: JudgeHandle, asked: Asked, texts: list[str], is_held: bool
    ) -> tuple[dict[str, Verdict | None], Asked | None]:
        """A verdict for each text, None where it is put off; and what the judge holds now."""
        problem = asked.problem
        held = asked if is_held else None
        programs: list[str | TooMuch] = list(texts)
        if self._sanitize:
            answer = ask_for_programs(judge, problem.entry_point, texts)
            if isinstance(answer, str):
                return dict.fromkeys(texts, None if judge.behind else _unscored(answer)), None
            programs = answer
        found: dict[str | TooMuch, Verdict | None] = {}
        new = []
        for program in dict.fromkeys(programs):
            if isinstance(program, TooMuch):
                found[program] = Verdict("", FAIL, FAIL, program.reason)
                continue
            known = asked.found.get(program) or self._known(problem, program)
            if known is None:
                new.append(program)
            else:
                found[program] = asked.found[program] = known
        if new:
            verdicts = ask_for_verdicts(judge, problem, new, is_held)
            held = None if isinstance(verdicts, str) else asked
            if isinstance(verdicts, str):
                why = verdicts
                verdicts = [None if judge.behind else _unscored(why, program) for program in new]
            for program, verdict in zip(new, verdicts, strict=True):
                found[program] = verdict
                # What broke down this time is no verdict, and is tried again the next time.
                if verdict is not None and UNSCORED not in (
                    verdict.base_status,
                    verdict.plus_status,
                ):
                    asked.found[program] = verdict
                    self._keep(problem, verdict)
        return {text: found[program] for text, program in zip(texts, programs, strict=True)}, held

    @functools.cached_property
    def _store(self) -> Store:
        return Store()

    def _key(self, problem: Problem, program: str) -> str:
        return key_of(
            "verdict",
            problem.dataset,
            problem.task_id,
            program,
            self._executor.level,
            dataclasses.asdict(Limits()),
            platform.python_version(),
        )

    def _known(self, problem: Problem, program: str) -> Verdict | None:
        if not program.strip():
            return Verdict(program, FAIL, FAIL, "no program in the text")
        if not problem.dataset:
            return None
        with self._storing:
            kept = self._store.get(self._key(problem, program))
        return None if kept is None else Verdict(program, *json.loads(kept))

    def _keep(self, problem: Problem, verdict: Verdict) -> None:
        if problem.dataset:
            _, *row = dataclasses.astuple(verdict)
            with self._storing:
                self._store.put(self._key(problem, verdict.program), json.dumps(row).encode())


def _unscored(reason: str, program: str = "") -> Verdict:
    return Verdict(program, UNSCORED, UNSCORED, reason)
