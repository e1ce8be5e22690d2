"""What becomes of each record: a program runs on its problem's tests, an answer goes to its inner task, and
one to a benchmark with a judge has the label that came with it.

    for record in verify(records, ProblemSets(None), place, Counter()):
        ...                                     # record.status is correct, wrong, timeout or unscored

    >>> status_of(Verdict("def f(): pass", tests.PASS, tests.PASS))
    'correct'
    >>> status_of(Verdict("", tests.PASS, tests.UNSCORED, reason="no process"))
    'unscored'

A correct program passes the base tests and the extra ones (evalplus's convention). Verdicts on programs are
kept under HM_CACHE, so that a second run of the same ones costs seconds.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from hm_metrics import verdict as tests
from hm_metrics.verdict import Verdict
from hm_tasks.curation.candidate import (
    ANSWERS,
    CORRECT,
    JUDGED,
    PROGRAMS,
    TIMEOUT,
    UNSCORED,
    WRONG,
    Candidate,
)
from hm_tasks.curation.graded_answers import GradedAnswers
from hm_tasks.curation.judged_answers import JudgedAnswers
from hm_tasks.curation.problem_sets import ProblemSets
from hm_tasks.sandbox.executors import Place
from hm_tasks.sandbox.judging.behaviour import OUT_OF_TIME
from hm_tasks.sandbox.pool import Scorer
from hm_tasks.sandbox.problem import Problem

BATCH = 4096  # records in memory, and under way in one scorer


# Who says what became of samples: the same records, each with its `status` and `reason`.
Verifier = Callable[[Sequence[Candidate]], Sequence[Candidate]]


def verify(
    records: Iterable[Candidate], sets: ProblemSets, place: Place, found: Counter[str]
) -> Iterator[Candidate]:
    """The records with what became of them, in their order.

    Args:
        found: gets how many have each status.

    Raises:
        UsageError: their problems or inner tasks are not at hand.
        RuntimeError: judges cannot be started, or their results not be kept.
    """
    # Answers first: who grades them is forked from this process, and judges start threads in it.
    verifiers: dict[str, Verifier] = {
        ANSWERS: GradedAnswers(sets.inner, place.isolation),
        JUDGED: JudgedAnswers(sets.inner.least_score),
        PROGRAMS: partial(verify_programs, sets=sets, place=place),
    }
    records = iter(records)
    while batch := list(islice(records, BATCH)):
        ready = {
            kind: iter(verifier(mine) if (mine := [r for r in batch if r.kind == kind]) else ())
            for kind, verifier in verifiers.items()
        }
        for record in batch:
            verified = next(ready[record.kind])
            found[verified.status] += 1
            yield verified


def verify_programs(
    records: Sequence[Candidate], sets: ProblemSets, place: Place
) -> list[Candidate]:
    """Verify programs, in the sandbox."""
    jobs: dict[str, tuple[Problem, list[str]]] = {}
    for record in records:
        problem = sets.of_record(record)
        jobs.setdefault(_name(problem), (problem, []))[1].append(record.program)
    # A scorer holds all that it was asked: one for each batch.
    with Scorer(place.open(), sanitize=False) as scorer:
        verdicts = scorer.verdicts(list(jobs.values()))
    ready = {key: iter(of_problem) for key, of_problem in zip(jobs, verdicts, strict=True)}
    found = []
    for record in records:
        verdict = next(ready[_name(sets.of_record(record))])
        status, reason = status_of(verdict), verdict.reason
        found.append(
            dataclasses.replace(record, status=status, reason=reason, behaviour=verdict.behaviour)
        )
    return found


def _name(problem: Problem) -> str:
    return f"{problem.dataset} {problem.task_id}"


def status_of(verdict: Verdict) -> str:
    """A verdict on two kinds of tests as one word.

    A test's own time limit is a failure in evalplus's words, and only the reason tells it apart.
    """
    both = (verdict.base_status, verdict.plus_status)
    if not verdict.is_scored:
        return UNSCORED
    if both == (tests.PASS, tests.PASS):
        return CORRECT
    late = tests.TIMEOUT in both or OUT_OF_TIME in verdict.reason
    return TIMEOUT if late else WRONG
