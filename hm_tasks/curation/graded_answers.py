"""Which answers are right: the inner task grades each of them anew, in isolated processes.

    GradedAnswers(InnerTasks(), "auto")(records)        # the same records, with a status

Correct is what has the least score that is asked for, by the headline's filter and metric of the run that
the answer is from.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence

from hm_metrics.graded import BEYOND_LIMITS, Graded
from hm_metrics.verdict import UNSCORED as NO_GRADE
from hm_tasks.any_passk.grading import Grader
from hm_tasks.any_passk.settings import Settings
from hm_tasks.curation.candidate import CORRECT, TIMEOUT, UNSCORED, WRONG, Candidate
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.inner_tasks import InnerTask, InnerTasks
from hm_tasks.curation.provenance import Wrapped


class GradedAnswers:
    """Verifies answers.

    Args:
        isolation: of whoever grades (docs/sandbox.md).
    """

    def __init__(self, tasks: InnerTasks, isolation: str) -> None:
        self._tasks, self._isolation = tasks, isolation

    def __call__(self, records: Sequence[Candidate]) -> list[Candidate]:
        """The records with what became of them, in their order.

        Raises:
            UsageError: their inner task is not to be had, or has other questions now.
        """
        of_graders: dict[str, list[int]] = defaultdict(list)
        for place, record in enumerate(records):
            of_graders[json.dumps(record.provenance["inner"])].append(place)
        found = list(records)
        for told, places in of_graders.items():
            wrapped = Wrapped(**json.loads(told))
            inner = self._tasks.of(wrapped)
            _check(inner, [records[place] for place in places])
            of_questions: dict[int, list[int]] = defaultdict(list)
            for place in places:
                of_questions[records[place].provenance["question"]].append(place)
            texts = [[records[place].text for place in of] for of in of_questions.values()]
            grades = self._grades(inner, wrapped, list(of_questions), texts)
            for of, graded in zip(of_questions.values(), grades, strict=True):
                for place, one in zip(of, graded, strict=True):
                    status, reason = self._status(one, wrapped.metric)
                    found[place] = dataclasses.replace(found[place], status=status, reason=reason)
        return found

    def _grades(
        self, inner: InnerTask, wrapped: Wrapped, numbers: list[int], texts: list[list[str]]
    ) -> list[list[Graded]]:
        """Of each question's answers; a grader for each batch, for it holds all that it was asked."""
        limits = {"seconds": wrapped.seconds, "memory_mib": wrapped.memory_mib}
        settings = Settings.of(limits | {"isolation": self._isolation})
        docs = [inner.docs[number] for number in numbers]
        with Grader(inner.task, docs, [wrapped.filter], [wrapped.metric], settings) as grader:
            return [of[wrapped.filter] for of in grader.grades(texts)]

    def _status(self, graded: Graded, metric: str) -> tuple[str, str]:
        """A grade as one word, and why it is not correct."""
        if graded.status == NO_GRADE:
            return UNSCORED, graded.reason
        if graded.status == BEYOND_LIMITS:
            return TIMEOUT, graded.reason
        score = graded.scores[metric]
        if score >= self._tasks.least_score:
            return CORRECT, ""
        return WRONG, graded.reason or f"{metric} is {score:g}"


def _check(inner: InnerTask, records: Sequence[Candidate]) -> None:
    """Raise CurationError where records answer other questions than those at hand."""
    for record in records:
        if record.provenance["dataset"] != inner.sha256:
            raise CurationError(
                f"The samples answer the questions of {inner.name} with the SHA-256 "
                f"{record.provenance['dataset']}, and those here have another. Run all steps, without "
                "--step, from the logs."
            )
