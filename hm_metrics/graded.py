"""One sample of a task that wraps another (`hm_tasks.any_passk`), as the wrapped task graded it.

>>> str(Graded("18", {"exact_match": 1.0}, same_as=0).record())
'{"answer": "18", "scores": {"exact_match": 1.0}, "same_as": 0, "status": "graded", "reason": ""}'
"""

from __future__ import annotations

import dataclasses

from hm_metrics.verdict import UNSCORED, JsonRecord

GRADED, UNREAD, BEYOND_LIMITS = "graded", "unread", "beyond_limits"
GRADES = (GRADED, UNREAD, BEYOND_LIMITS, UNSCORED)


@dataclasses.dataclass(frozen=True)
class Graded:
    """What one filter of the wrapped task made of a sample, and how good that is.

    Attributes:
        answer: what the filter made of the sample's text, as a text.
        scores: by the wrapped task's metrics; {} where it is unscored.
        same_as: which of the question's samples is the first with an equal answer, which may be this one;
            None where there is no answer to compare, which casts no vote.
        status: GRADED; UNREAD: the filter found no answer, and the task scored that as it does;
            BEYOND_LIMITS: grading it took more time or memory than it may, so that it is wrong; or
            UNSCORED: grading broke down, which is no answer's doing.
        reason: why it has no plain score, in words.
    """

    answer: str
    scores: dict[str, float]
    same_as: int | None = None
    status: str = GRADED
    reason: str = ""

    def record(self, of_filter: str = "", question: int = 0) -> GradedRecord:
        """As it is logged; the filter and the question are for who counts."""
        return GradedRecord(self, of_filter, question)


class GradedRecord(JsonRecord):
    """A grade's fields, and for whoever counts the grade itself, its filter and its question's number."""

    def __init__(self, graded: Graded, of_filter: str, question: int) -> None:
        super().__init__(dataclasses.asdict(graded))
        self.graded, self.filter, self.question = graded, of_filter, question
