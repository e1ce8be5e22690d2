"""Standard errors by resampling questions: what would another draw of as many questions have given?

Source: Efron (1979). A resample is a row of weights, how often each question was drawn, so a statistic
that takes weights is computed for many resamples in one matrix product.

    >>> values = np.array([0.0, 1.0, 1.0, 0.0])
    >>> bootstrap_error(lambda weights: weights @ values / 4, n=4, iterations=2000)
    0.28...
    >>> float(values.std(ddof=1) / 2)  # of a mean it is the usual error
    0.28...
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

CELLS = 4_000_000  # of a block of weights: 32 MB


def bootstrap_error(
    statistic: Callable[[np.ndarray], np.ndarray], n: int, iterations: int, seed: int = 0
) -> float:
    """Standard error of a statistic of `n` questions.

    Args:
        statistic: [B, n] weights in, [B] values out; nan where a resample has no value.
        iterations: how many resamples.
        seed: the same seed gives the same error.

    Returns:
        The resamples' standard deviation times sqrt(n / (n - 1)), which makes it the usual standard
        error where the statistic is a mean; nan for fewer than two questions or usable resamples.
    """
    if n < 2:
        return float("nan")
    random = np.random.default_rng(seed)
    rows = max(1, CELLS // n)
    values = []
    for start in range(0, iterations, rows):
        size = min(rows, iterations - start)
        weights = random.multinomial(n, np.full(n, 1.0 / n), size=size).astype(np.float64)
        values.append(statistic(weights))
    found = np.concatenate(values) if values else np.zeros(0)
    found = found[~np.isnan(found)]
    if len(found) < 2:
        return float("nan")
    return float(found.std(ddof=1) * np.sqrt(n / (n - 1)))


def weighted_means(values: np.ndarray, weights: np.ndarray, without: float) -> np.ndarray:
    """[B, P] means of P rows of values by B rows of weights, each over those questions that have a value.

    Args:
        values: [P, n], nan = unscored.
        weights: [B, n].
        without: what stands where no question with a value has a weight.
    """
    known = ~np.isnan(values)
    total = weights @ known.T.astype(np.float64)
    sums = weights @ np.where(known, values, 0.0).T
    return np.divide(sums, total, out=np.full(sums.shape, without), where=total > 0)
