"""What became of one answer: a score, or the reason why it has none.

>>> answers = [Judgment(1, ASKED), Judgment(0, KEPT), Judgment(None, ASKED, TRUNCATED)]
>>> tally(answers)
Tally(fulfilled=1, scored=2, unscored=1)
>>> reasons(answers)
Counter({'truncated': 1})
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from hm_metrics.fulfillment import Tally
from hm_metrics.verdict import JsonRecord

# Why an answer is unscored.
API_ERROR, JUDGE_REFUSED, UNREADABLE, TRUNCATED, OVER_LIMIT, UNFINISHED = REASONS = (
    "api_error",
    "judge_refused",
    "unreadable",
    "truncated",
    "over_limit",
    "unfinished",  # the model under test was cut off within a thought: there is no answer
)
TIE = "tie"  # of several judges, as many for one score as for another
# Who decided: the judge in this run, the judge in an earlier one, the rule for empty answers, phrases.
ASKED, KEPT, RULE, PHRASES = "asked", "kept", "rule", "phrases"
# What judging cost, by the names of results.
SPENT = ("judge_calls", "judge_reused", "judge_tokens_in", "judge_tokens_out")


@dataclasses.dataclass(frozen=True)
class Judgment:
    """One answer's score.

    Attributes:
        score: 1 if the answer fulfils the request, 0 if not, None if unscored.
        by: ASKED, KEPT, RULE or PHRASES.
        unscored: one of REASONS where the score is None.
        words: the judge's, or those of the failure.
        calls, tokens_in, tokens_out: what this answer cost in this run, failed tries included; nothing
            where another answer with the same text already paid.
    """

    score: int | None
    by: str
    unscored: str = ""
    words: str = ""
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def free(self) -> Judgment:
        """The same verdict for a second asker."""
        return dataclasses.replace(self, calls=0, tokens_in=0, tokens_out=0)

    def record(self) -> JsonRecord:
        """The judgment as it is logged."""
        return JsonRecord(dataclasses.asdict(self))


def tally(judgments: Sequence[Judgment]) -> Tally:
    """One prompt's judgments, counted."""
    scores = [judgment.score for judgment in judgments]
    return Tally(scores.count(1), len(scores) - scores.count(None), scores.count(None))


def reasons(judgments: Sequence[Judgment]) -> Counter[str]:
    """How many are unscored, by reason."""
    return Counter(judgment.unscored for judgment in judgments if judgment.score is None)


def spent(judgments: Sequence[Judgment]) -> dict[str, int]:
    """What they cost in this run, by each of SPENT."""
    costs = [(j.calls, j.by == KEPT, j.tokens_in, j.tokens_out) for j in judgments]
    return {name: sum(cost[place] for cost in costs) for place, name in enumerate(SPENT)}
