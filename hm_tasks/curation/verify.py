"""Run each record's program on its problem's tests, in the sandbox.

    for record in verify(records, ProblemSets(None), place, Counter()):
        ...                                     # record.status is correct, wrong, timeout or unscored

    >>> status_of(Verdict("def f(): pass", tests.PASS, tests.PASS))
    'correct'
    >>> status_of(Verdict("", tests.PASS, tests.UNSCORED, reason="no process"))
    'unscored'

Correct is what passes the base tests and the extra ones (evalplus's convention). Verdicts are kept
under HM_CACHE, so that a second run of the same programs costs seconds.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from hm_metrics import verdict as tests
from hm_metrics.verdict import Verdict
from hm_tasks.curation.candidate import CORRECT, TIMEOUT, UNSCORED, WRONG, Candidate
from hm_tasks.curation.problem_sets import ProblemSets
from hm_tasks.sandbox.executors import Place
from hm_tasks.sandbox.judging.behaviour import OUT_OF_TIME
from hm_tasks.sandbox.pool import Scorer
from hm_tasks.sandbox.problem import Problem

BATCH = 4096  # records in memory, and under way in one scorer


def verify(
    records: Iterable[Candidate], sets: ProblemSets, place: Place, found: Counter[str]
) -> Iterator[Candidate]:
    """The records with what became of them, in their order.

    Args:
        found: gets how many have each status.

    Raises:
        CurationError: their problems are not at hand.
        RuntimeError: judges cannot be started, or their results not be kept.
    """
    records = iter(records)
    while batch := list(islice(records, BATCH)):
        jobs: dict[str, tuple[Problem, list[str]]] = {}
        for record in batch:
            problem = sets.of_record(record)
            jobs.setdefault(f"{problem.dataset} {problem.task_id}", (problem, []))[1].append(
                record.program
            )
        # A scorer holds all that it was asked: one for each batch.
        with Scorer(place.open(), sanitize=False) as scorer:
            verdicts = scorer.verdicts(list(jobs.values()))
        ready = {key: iter(of_problem) for key, of_problem in zip(jobs, verdicts, strict=True)}
        for record in batch:
            problem = sets.of_record(record)
            verdict = next(ready[f"{problem.dataset} {problem.task_id}"])
            status = status_of(verdict)
            found[status] += 1
            yield dataclasses.replace(
                record, status=status, reason=verdict.reason, behaviour=verdict.behaviour
            )


def status_of(verdict: Verdict) -> str:
    """A verdict on two kinds of tests as one word.

    A test's own time limit is a failure in evalplus's words, and only the reason tells it apart.
    """
    both = (verdict.base_status, verdict.plus_status)
    if tests.UNSCORED in both:
        return UNSCORED
    if both == (tests.PASS, tests.PASS):
        return CORRECT
    late = tests.TIMEOUT in both or OUT_OF_TIME in verdict.reason
    return TIMEOUT if late else WRONG
