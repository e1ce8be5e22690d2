"""Is a difference real? Paired over questions. (Signatures first; the arithmetic follows.)"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Difference:
    """Ours minus theirs.

    Attributes:
        estimate: mean difference over the paired questions; nan without any.
        low, high: its interval; nan where there is none (fewer than two questions).
        p_value: of the two-sided permutation test; nan without a question.
        questions: how many were compared.
        left_out: how many have a value on one side or none (unscored).
    """

    estimate: float
    low: float
    high: float
    p_value: float
    questions: int
    left_out: int


def paired_difference(
    ours: np.ndarray,
    theirs: np.ndarray,
    confidence: float = 0.95,
    iterations: int = 10_000,
    seed: int = 0,
) -> Difference:
    """[G] values by question, in the same order; nan = unscored."""
    raise NotImplementedError


def paired_statistic_difference(
    statistic: Callable[[np.ndarray], np.ndarray],
    questions: int,
    confidence: float = 0.95,
    iterations: int = 2000,
    seed: int = 0,
) -> Difference:
    """`statistic` takes [B, 2 G] weights over our G questions, then their G (same order), gives [B].

    sums = QuestionSums.joined([ours, theirs])
    paired_statistic_difference(lambda w: global_over_questions(sums, w), G)
    """
    raise NotImplementedError


def mean_interval(
    values: np.ndarray, confidence: float = 0.95, bounds: tuple[float, float] | None = (0.0, 1.0)
) -> tuple[float, float]:
    """Interval of the mean of [G] values (nan left out); `bounds` = the values' possible range."""
    raise NotImplementedError


def interval(
    value: float,
    stderr: float,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Interval of a value of which only the standard error is known; nan, nan without one."""
    raise NotImplementedError


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values; nan stays nan and is not counted."""
    raise NotImplementedError


def questions_to_settle(
    ours: np.ndarray, theirs: np.ndarray, power: float = 0.8, confidence: float = 0.95
) -> int | None:
    """How many questions; None = no number would."""
    raise NotImplementedError


def samples_to_settle(
    ours_correct: np.ndarray,
    theirs_correct: np.ndarray,
    samples: int | np.ndarray,
    k: int = 1,
    power: float = 0.8,
    confidence: float = 0.95,
) -> int | None:
    """[G] counts of correct among `samples` (one number, or [G] or [2, G]); None = no number would."""
    raise NotImplementedError
