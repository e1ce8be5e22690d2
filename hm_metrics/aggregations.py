"""Aggregations of the harness over questions that bring their own standard error.

lm_eval asks `stderr_for_metric(aggregation, bootstrap_iters)`, which knows its own functions alone and
resamples in Python processes; `hm_models.plugin.standard_errors` lets it ask the aggregation. A value
that cannot be computed is the word `unscored`, never a number.

    >>> Mean()([0.5, None, 1.0]), Mean()([None])
    (0.75, 'unscored')
    >>> Ratio()([(3.0, 2.0), None, (1.0, 2.0)])
    1.0
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hm_metrics.bootstrap import bootstrap_error
from hm_metrics.diversity import OverQuestions, QuestionSums, standard_error, value_of

UNSCORED = "unscored"
NOT_AVAILABLE = "N/A"  # the harness's word where there is no standard error
# Resamples: the error is then known to within 2 %; the harness asks for 100,000.
MAX_ITERATIONS = 2_000


@dataclasses.dataclass(frozen=True)
class Mean:
    """Mean over those questions that have a value; the others are None."""

    def __call__(self, items: Sequence[float | None]) -> float | str:
        known = [item for item in items if item is not None]
        return float(np.mean(known)) if known else UNSCORED

    def stderr(self, items: Sequence[float | None], iterations: int) -> float | str:
        """Standard deviation over the root of the number: what a bootstrap of a mean comes to."""
        known = [item for item in items if item is not None]
        if len(known) < 2:
            return NOT_AVAILABLE
        return float(np.std(known, ddof=1) / np.sqrt(len(known)))


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Sum of the first over sum of the second, of pairs by question; None for questions without."""

    def __call__(self, items: Sequence[tuple[float, float] | None]) -> float | str:
        above, below = self._columns(items)
        return float(above.sum() / below.sum()) if below.sum() > 0 else UNSCORED

    def stderr(self, items: Sequence[tuple[float, float] | None], iterations: int) -> float | str:
        above, below = self._columns(items)
        return or_word(
            bootstrap_error(
                lambda weights: (weights @ above) / (weights @ below),
                len(above),
                min(iterations, MAX_ITERATIONS),
            ),
            NOT_AVAILABLE,
        )

    @staticmethod
    def _columns(items: Sequence[tuple[float, float] | None]) -> tuple[np.ndarray, np.ndarray]:
        known = np.array([item for item in items if item is not None]).reshape(-1, 2)
        return known[:, 0], known[:, 1]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """A similarity over pairs of samples, from the sums of each question's vectors.

    Attributes:
        measure: one of `hm_metrics.diversity`'s `..._over_questions`.
        sums_of: items to sums, or the words that stand in place of the value.
        no_pair: the words where no two samples make a pair.
    """

    measure: OverQuestions
    sums_of: Callable[[Sequence[Any]], QuestionSums | str]
    no_pair: str = UNSCORED

    def __call__(self, items: Sequence[Any]) -> float | str:
        sums = self.sums_of(items)
        return (
            sums if isinstance(sums, str) else or_word(value_of(self.measure, sums), self.no_pair)
        )

    def stderr(self, items: Sequence[Any], iterations: int) -> float | str:
        sums = self.sums_of(items)
        if isinstance(sums, str):
            return NOT_AVAILABLE
        error = standard_error(self.measure, sums, min(iterations, MAX_ITERATIONS))
        return or_word(error, NOT_AVAILABLE)


def or_word(value: float, word: str) -> float | str:
    """The word where the value is nan."""
    return word if np.isnan(value) else value
