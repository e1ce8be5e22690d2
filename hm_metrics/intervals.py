"""Intervals over questions: where would the value lie if other questions of the kind had been asked?

Source: the BCa bootstrap (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 14),
widened on either side to a closed-form interval where that reaches further. On a hundred questions of
which most are never solved each of the two covers too little by itself (BCa with few values that
differ from 0, Student's t with skewed ones); together they cover in 93 to 97 of 100 simulated runs
(tests/metrics/test_intervals.py), and in 92 where no more than about ten values differ from 0.

    >>> mean_interval(np.array([0.0, 0.0, 0.0, 1.0] * 25))
    (0.17, 0.344...)
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from scipy import stats

from hm_metrics.bootstrap import CELLS

CONFIDENCE = 0.95
ITERATIONS = 10_000  # the limits' own error is then a fiftieth of the interval's width
KEPT_CELLS = 5_000_000  # of the resamples that are kept for the next call: 40 MB
ROUNDING = 1e-12  # sums in another order differ by this much

Bounds = tuple[float, float]


def mean_interval(
    values: np.ndarray,
    confidence: float = CONFIDENCE,
    bounds: Bounds | None = (0.0, 1.0),
    iterations: int = ITERATIONS,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of the mean of questions' values.

    Args:
        values: [G], nan for questions without a value, which are left out.
        bounds: the range that a question's value can lie in; None where none is known. With it the
            interval stays inside, and has a width also where all values are equal (0 of 100 solved
            does not mean that none ever is).
        iterations: resamples of the bootstrap, repeatable by `seed`.

    Returns:
        low and high; nan, nan for fewer than two questions.

    Raises:
        ValueError: values outside the bounds, or a confidence that is not between 0 and 1.
    """
    values = _known(values, bounds)
    questions = len(values)
    if questions < 2:
        return np.nan, np.nan
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(questions))
    if error <= ROUNDING:
        error = 0.0
    low, high = bca(
        mean, resampled_means(values, iterations, seed), acceleration(values), questions, confidence
    )
    quantile = _t(confidence, questions)
    if bounds is None:
        wide = mean - quantile * error, mean + quantile * error
    else:
        wide = _score_interval(mean, error, quantile, bounds, questions)
    return min(low, wide[0]), max(high, wide[1])


def interval(
    value: float, stderr: float, confidence: float = CONFIDENCE, bounds: Bounds | None = None
) -> tuple[float, float]:
    """Interval of a value of which no more than the standard error is known.

    Args:
        value: an estimate, with `stderr` in the same unit.
        bounds: the range that the value can lie in; with it, the interval stays inside.

    Returns:
        low and high by the normal distribution (Wilson's interval with the standard error's effective
        number of questions, given bounds); nan, nan without a value or a standard error, and value,
        value where the error is 0.
    """
    quantile = _t(confidence, None)
    if np.isnan(value) or np.isnan(stderr):
        return np.nan, np.nan
    if bounds is None or stderr <= 0:
        return value - quantile * stderr, value + quantile * stderr
    return _score_interval(value, stderr, quantile, bounds, 0)


def unseen(questions: int, confidence: float = CONFIDENCE) -> float:
    """The share of questions that may differ although none of so many did (Wilson's limit at 0)."""
    square = _t(confidence, questions) ** 2
    return float(square / (questions + square))


def bca(
    estimate: float,
    resampled: np.ndarray,
    accelerated: float,
    questions: int,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """The bias-corrected and accelerated interval, its tails widened for few questions.

    Args:
        resampled: [B] values of the statistic over resamples, nan where one has none.
        accelerated: `acceleration` of the statistic.

    Returns:
        low and high; nan, nan without two usable resamples.
    """
    resampled = resampled[~np.isnan(resampled)]
    if len(resampled) < 2 or questions < 2:
        return np.nan, np.nan
    margin = ROUNDING * (1.0 + abs(estimate))
    below = np.mean(resampled < estimate - margin) + np.mean(resampled <= estimate + margin)
    share = 1.0 / len(resampled)
    bias = stats.norm.ppf(np.clip(below / 2.0, share, 1.0 - share))
    # Resamples spread too little by sqrt((G - 1) / G), and a t quantile is due (Hesterberg 2015).
    tail = np.sqrt(questions / (questions - 1.0)) * _t(confidence, questions)
    limits = bias + np.array([-tail, tail])
    scale = 1.0 - accelerated * limits
    # Beyond 0 the transformation turns back: then everything lies inside.
    turned = np.where(scale > 0, limits / np.where(scale > 0, scale, 1.0), np.sign(limits) * np.inf)
    low, high = np.quantile(resampled, stats.norm.cdf(bias + turned))
    return float(low), float(high)


def acceleration(influence: np.ndarray) -> float:
    """How fast the error changes with the value: a sixth of the skewness of [G] influences.

    For a mean they are the values themselves; else minus the leave-one-out values.
    """
    centred = influence - influence.mean()
    square = float(centred @ centred)
    if square <= ROUNDING**2:
        return 0.0
    return float((centred**3).sum() / (6.0 * square**1.5))


def resampled_means(values: np.ndarray, iterations: int, seed: int) -> np.ndarray:
    """[B] means of resamples of the questions' values [G]."""
    blocks = resamples(len(values), iterations, seed)
    return np.concatenate([block @ values for block in blocks]) / len(values)


def resamples(questions: int, iterations: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks [b, G] of weights: how often each question is drawn. The same seed draws the same.

    Two calls with one number of questions therefore see the same resamples: so different metrics and
    different models are resampled together.
    """
    if iterations * questions <= KEPT_CELLS:
        yield _kept_resamples(questions, iterations, seed)
        return
    random = np.random.default_rng(seed)
    rows = max(1, CELLS // questions)
    for start in range(0, iterations, rows):
        yield _draw(random, questions, min(rows, iterations - start))


@functools.lru_cache(maxsize=4)  # a report compares many rows over the same questions
def _kept_resamples(questions: int, iterations: int, seed: int) -> np.ndarray:
    weights = _draw(np.random.default_rng(seed), questions, iterations)
    weights.flags.writeable = False
    return weights


def _draw(random: np.random.Generator, questions: int, rows: int) -> np.ndarray:
    drawn = random.integers(0, questions, (rows, questions))
    drawn += np.arange(rows)[:, None] * questions  # one count for all: far faster than multinomial
    counts = np.bincount(drawn.ravel(), minlength=rows * questions)
    return counts.reshape(rows, questions).astype(np.float64)


def _score_interval(
    value: float, error: float, quantile: float, bounds: Bounds, questions: int
) -> tuple[float, float]:
    """Wilson's interval with as many yes-or-no questions as would have this standard error.

    Source: Korn and Graubard (1998) for the effective number; `questions` serves where there is no
    error (all values equal).
    """
    lowest, width = bounds[0], bounds[1] - bounds[0]
    share = min(1.0, max(0.0, (value - lowest) / width))
    spread = share * (1.0 - share)
    effective = spread / (error / width) ** 2 if error > 0 and spread > 0 else float(questions)
    if effective <= 0:
        return value, value
    square = quantile**2 / effective
    centre = (share + square / 2.0) / (1.0 + square)
    half = np.sqrt(square * (spread + square / 4.0)) / (1.0 + square)
    return (
        float(lowest + width * max(0.0, centre - half)),
        float(lowest + width * min(1.0, centre + half)),
    )


def _t(confidence: float, questions: int | None) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence={confidence}: expected a number between 0 and 1, as 0.95.")
    share = (1.0 + confidence) / 2.0
    return float(stats.norm.ppf(share) if questions is None else stats.t.ppf(share, questions - 1))


def _known(values: np.ndarray, bounds: Bounds | None) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"values {values.shape}: expected [G], one value a question.")
    values = values[~np.isnan(values)]
    if bounds is not None and len(values):
        lowest, highest = float(values.min()), float(values.max())
        if lowest < bounds[0] - 1e-9 or highest > bounds[1] + 1e-9:
            raise ValueError(
                f"values from {lowest:g} to {highest:g} lie outside the bounds {bounds}; "
                "name the right bounds, or None where there are none."
            )
    return values
