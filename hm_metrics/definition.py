"""What a number is: its meaning, which way is better, and why so.

>>> Definition("Samples without a verdict.", False).words
'Samples without a verdict. Lower is better.'
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from hm_metrics.verdict import Verdict


@dataclasses.dataclass(frozen=True)
class Definition:
    """One number.

    Attributes:
        meaning: a sentence or two; of a pass@k, `{k}` stands for k.
        higher_is_better: None where neither is, as of costs of a run.
        source: paper and place, or project; empty where the sentence says all.
        title: what figures call it.
        correct: of a pass@k: what a sample must pass to count, in words, and `is_correct` as a rule.
    """

    meaning: str
    higher_is_better: bool | None
    source: str = ""
    title: str = ""
    correct: str = ""
    is_correct: Callable[[Verdict], bool] = lambda verdict: False

    @property
    def axis(self) -> str:
        """How an axis is labelled."""
        better = {True: " (higher is better)", False: " (lower is better)", None: ""}
        return self.title + better[self.higher_is_better]

    @property
    def words(self) -> str:
        """The meaning, which way is better, and the source: what a reader of a table is told."""
        better = {True: "Higher is better.", False: "Lower is better.", None: ""}
        parts = (self.meaning, better[self.higher_is_better])
        source = f"({self.source[0].upper()}{self.source[1:]}.)" if self.source else ""
        return " ".join(filter(None, (*parts, source)))
