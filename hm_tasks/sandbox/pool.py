"""Verdicts on many texts: judged in parallel, as they come or all at once, each program once.

    scorer = Scorer(LocalExecutor(level), generating=True)
    scorer.add(problem, text)               # returns at once; judged while the model goes on
    scorer.verdicts([(problem, texts)])     # generation has ended: wait for all of these

What was judged before, in this run or in an earlier one, is not run again (`hm_tasks.sandbox.store`).
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, as_completed
from typing import Protocol

from tqdm import tqdm

from hm_metrics.verdict import Verdict
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.judging.asking import JudgeDied, JudgeHandle, ask_for_verdicts
from hm_tasks.sandbox.judging.judge_process import LocalExecutor
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.store import VerdictStore
from hm_tasks.sandbox.waiting import Pending, Waiting

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
        self, judge: JudgeHandle, asked: Pending, texts: list[str], is_held: bool
    ) -> tuple[dict[str, Verdict | None], Pending | None]:
        """A verdict for each text, None where it is put off; and what the judge holds now."""
        found: dict[str, Verdict | None] = {}
        if not self._sanitize:  # then the text is the program
            known = {text: self._stored(asked.problem, text) for text in texts}
            found |= {text: verdict for text, verdict in known.items() if verdict is not None}
        new = [text for text in texts if text not in found]
        if not new:
            return found, asked if is_held else None
        known_to_us = None if is_held else list(asked.found.values())
        verdicts = ask_for_verdicts(judge, asked.problem, new, self._sanitize, known_to_us)
        if isinstance(verdicts, JudgeDied):
            return found | dict.fromkeys(new), None
        for text, verdict in zip(new, verdicts, strict=True):
            found[text] = verdict
            if verdict is not None and verdict.program not in asked.found:
                self._keep(asked, verdict)
        return found, asked

    @functools.cached_property
    def _store(self) -> VerdictStore:
        return VerdictStore()

    def _stored(self, problem: Problem, program: str) -> Verdict | None:
        with self._storing:
            return self._store.verdict(problem, program, self._executor.level)

    def _keep(self, asked: Pending, verdict: Verdict) -> None:
        if verdict.is_scored:
            asked.found[verdict.program] = verdict
        # It may be the judge that has read it.
        if self._stored(asked.problem, verdict.program) is None:
            with self._storing:
                self._store.keep(asked.problem, verdict, self._executor.level)
