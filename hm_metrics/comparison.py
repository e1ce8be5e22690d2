"""Is a difference real? Two models on the same questions, compared question by question.

Source: the paired bootstrap (see `hm_metrics.intervals`) for how large the difference is; the sign-flip
permutation test (Fisher 1935) for whether there is one: if the models were alike, each question's
difference could as well have had the other sign. Holm (1979) for several differences at once.

    >>> ours = np.array([1.0, 0.5, 1.0, 0.0, 1.0, 1.0])  # pass@10 by question, of alpha 0.9
    >>> theirs = np.array([0.0, 0.5, 0.0, 0.0, np.nan, 0.5])  # and of alpha 1
    >>> found = paired_difference(ours, theirs)
    >>> found.estimate, found.p_value, found.questions, found.left_out
    (0.5, 0.25, 5, 1)
    >>> found.low > 0  # 95 % sure that ours is higher?
    False
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from hm_metrics.bootstrap import CELLS
from hm_metrics.intervals import (
    ITERATIONS,
    ROUNDING,
    acceleration,
    bca,
    interval,
    mean_interval,
    resamples,
    unseen,
)

EXACT = 13  # questions that differ: all 8,192 sign flips are tried; beyond, random ones

# A statistic of the questions of two models: [B, 2 G] weights (ours, then theirs) to [B] values.
OfBoth = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Difference:
    """Ours minus theirs.

    Attributes:
        estimate: mean difference over the paired questions; nan without any.
        low, high: its interval; nan where there is none (fewer than two questions).
        p_value: of the two-sided permutation test; nan without a question.
        questions: how many were compared.
        left_out: how many were not, because a side has no value (unscored).
    """

    estimate: float
    low: float
    high: float
    p_value: float
    questions: int
    left_out: int

    @property
    def ahead(self) -> int:
        """1 where ours is more than chance ahead, -1 where theirs is, 0 where the interval has 0 in it."""
        return int(self.low > 0) - int(self.high < 0)

    def __str__(self) -> str:
        return apart(self.estimate, self.low, self.high)


def paired_difference(
    ours: np.ndarray,
    theirs: np.ndarray,
    confidence: float = 0.95,
    iterations: int = ITERATIONS,
    seed: int = 0,
    largest: float = 1.0,
) -> Difference:
    """The mean difference of two models' values over the questions that both have.

    Args:
        ours, theirs: [G] values by question, in the same order; nan = unscored.
        iterations: resamples of the bootstrap, and sign flips where not all of them are tried.
        seed: the same seed gives the same answer.
        largest: how far a question's values can lie apart at most; only used where no two do, for
            what the questions that were not asked could still change.

    Raises:
        ValueError: the sides have different shapes.
    """
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if ours.ndim != 1 or ours.shape != theirs.shape:
        raise ValueError(
            f"ours {ours.shape} and theirs {theirs.shape}: expected [G] twice, the same questions "
            "in the same order (nan where one has no value)."
        )
    differences = ours - theirs
    differences = differences[~np.isnan(differences)]
    questions = len(differences)
    left_out = len(ours) - questions
    if not questions:
        return Difference(np.nan, np.nan, np.nan, np.nan, 0, left_out)
    low, high = mean_interval(differences, confidence, None, iterations, seed)
    if questions > 1 and np.ptp(differences) <= ROUNDING:
        margin = largest * unseen(questions, confidence)
        low, high = low - margin, high + margin
    p_value = _sign_flip_test(differences, iterations, seed)
    return Difference(float(differences.mean()), low, high, p_value, questions, left_out)


def paired_statistic_difference(
    statistic: OfBoth,
    questions: int,
    confidence: float = 0.95,
    iterations: int = 2000,
    seed: int = 0,
) -> Difference:
    """The difference of a statistic that is no mean over questions, such as global similarity.

    Both models are resampled together, and the permutation test lets them trade whole questions:

        sums = QuestionSums.joined([ours, theirs])   # the same questions in the same order
        paired_statistic_difference(lambda weights: global_over_questions(sums, weights), G)

    Args:
        statistic: [B, 2 G] weights, our G questions before their G, to [B] values; nan for none.
        questions: G.

    Returns:
        The difference, with `left_out` 0; nan where the statistic has no value.
    """
    estimate = float(_difference(statistic, np.ones((1, questions)))[0]) if questions else np.nan
    if np.isnan(estimate):
        return Difference(np.nan, np.nan, np.nan, np.nan, questions, 0)
    blocks = resamples(questions, iterations, seed)
    resampled = np.concatenate([_difference(statistic, block) for block in blocks])
    influence = -_in_blocks(lambda rows: _difference(statistic, rows), 1.0 - np.eye(questions))
    found = influence[~np.isnan(influence)]
    skewness = acceleration(found) if len(found) else 0.0
    low, high = bca(estimate, resampled, skewness, questions, confidence)
    if questions > 1:
        error = float(np.nanstd(resampled, ddof=1) * np.sqrt(questions / (questions - 1.0)))
        wide = interval(0.0, error, confidence)
        low, high = min(low, float(estimate + wide[0])), max(high, float(estimate + wide[1]))
    p_value = _trade_test(statistic, questions, estimate, iterations, seed)
    return Difference(estimate, low, high, p_value, questions, 0)


def apart(difference: float, low: float, high: float) -> str:
    """A difference with its interval, as a reader is told it.

    >>> apart(0.0298, 0.002, 0.0581), apart(0.5, np.nan, np.nan), apart(np.nan, np.nan, np.nan)
    ('+0.030 [+0.002, +0.058]', '+0.500', 'none')
    """
    if np.isnan(difference):
        return "none"
    return f"{difference:+.3f}" + ("" if np.isnan(low) else f" [{low:+.3f}, {high:+.3f}]")


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given: below 0.05 = clear among all of these together.

    nan (not compared) stays nan and is not counted.

    Raises:
        ValueError: a p value outside [0, 1].
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if np.any((values[known] < 0) | (values[known] > 1)):
        raise ValueError(f"p values {list(p_values)}: expected numbers from 0 to 1, or nan.")
    order = known[np.argsort(values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    # A larger p value is never adjusted below a smaller one.
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * values[order]))
    return [float(value) for value in adjusted]


def _sign_flip_test(differences: np.ndarray, iterations: int, seed: int) -> float:
    """Share of sign flips whose sum is at least as far from 0; questions that agree do not matter."""
    moved = differences[np.abs(differences) > ROUNDING]
    if not len(moved):
        return 1.0
    exact = len(moved) <= EXACT
    flipped = 2.0 * (_signs(len(moved), iterations, seed) @ moved) - moved.sum()
    as_far = np.abs(flipped) >= abs(moved.sum()) - 1e-9 * np.abs(moved).sum()
    if exact:
        return float(as_far.mean())
    return float((as_far.sum() + 1) / (len(flipped) + 1))  # what was observed is one of the flips


def _trade_test(
    statistic: OfBoth, questions: int, estimate: float, iterations: int, seed: int
) -> float:
    """Share of trades of whole questions between the models whose difference is as far from 0."""
    kept = _signs(questions, iterations, seed)
    traded = _in_blocks(
        lambda rows: (
            statistic(np.hstack([rows, 1 - rows])) - statistic(np.hstack([1 - rows, rows]))
        ),
        kept,
    )
    traded = traded[~np.isnan(traded)]
    as_far = np.abs(traded) >= abs(estimate) - ROUNDING
    if questions <= EXACT:
        return float(as_far.mean())
    return float((as_far.sum() + 1) / (len(traded) + 1))


def _signs(count: int, iterations: int, seed: int) -> np.ndarray:
    """[B, count] of 0 (flipped) and 1 (kept): all 2**count up to EXACT, random ones beyond."""
    if count <= EXACT:
        rows = np.arange(2**count, dtype=np.int64)[:, None]
        return ((rows >> np.arange(count)) & 1).astype(np.float64)
    bits = np.random.default_rng(seed).integers(0, 256, (iterations, -(-count // 8)), np.uint8)
    return np.unpackbits(bits, axis=1, count=count).astype(np.float64)


def _difference(statistic: OfBoth, weights: np.ndarray) -> np.ndarray:
    """[B] ours minus theirs for [B, G] weights of the questions."""
    none = np.zeros_like(weights)
    return statistic(np.hstack([weights, none])) - statistic(np.hstack([none, weights]))


def _in_blocks(function: OfBoth, rows: np.ndarray) -> np.ndarray:
    """Both sides' weights of all rows at once could be gigabytes."""
    size = max(1, CELLS // max(1, rows.shape[1]))
    return np.concatenate(
        [function(rows[start : start + size]) for start in range(0, len(rows), size)]
    )
