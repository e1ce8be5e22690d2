"""The names of the numbers of a task that wraps another, taken apart (`hm_metrics.answer_numbers` makes them).

>>> AnswerName.of("math_verify/g_pass@10_0.5,strict")
AnswerName(number='g_pass@10_0.5', prefix='g_pass', k=10, threshold=0.5, metric='math_verify', filter='strict')
>>> AnswerName.of("exact_match,strict") is None  # a number of another kind of task
True
"""

from __future__ import annotations

import dataclasses
import re

AVERAGE, BEST, DISTINCT = "avg@n", "best@n", "distinct_answers"
# Up to a million: results may name any k, and nobody draws more samples.
_NAME = re.compile(
    r"(?:(?P<metric>[^,]+)/)?"
    r"(?P<number>(?P<prefix>pass|maj|g_pass)@(?P<k>[1-9][0-9]{0,5})(?:_(?P<threshold>[0-9.e-]{1,24}))?"
    rf"|{AVERAGE}|{BEST}|{DISTINCT})"
    r"(?:,(?P<filter>.+))?",
    re.ASCII | re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class AnswerName:
    """A number's name in parts.

    Attributes:
        number: the bare name, as `pass@10` or `avg@n`.
        prefix: `pass`, `maj` or `g_pass`, which have a k; empty for others.
        threshold: of g_pass.
        metric: of the wrapped task; empty for the headline's.
        filter: of the wrapped task; empty where it is not said.
    """

    number: str
    prefix: str = ""
    k: int = 0
    threshold: float = 0.0
    metric: str = ""
    filter: str = ""

    @property
    def is_headline(self) -> bool:
        """Whether it is a bare name, of the headline's metric and filter."""
        return not (self.metric or self.filter)

    @classmethod
    def of(cls, name: str) -> AnswerName | None:
        """The parts; None for what is no such name."""
        found = _NAME.fullmatch(name)
        if not found or (found["prefix"] == "g_pass") != (found["threshold"] is not None):
            return None
        try:
            threshold = float(found["threshold"] or 0.0)
        except ValueError:
            return None
        return cls(
            number=found["number"],
            prefix=found["prefix"] or "",
            k=int(found["k"] or 0),
            threshold=threshold,
            metric=found["metric"] or "",
            filter=found["filter"] or "",
        )
