"""maj@k: how often the majority of k samples is right, over all subsets of k.

    >>> maj_at_k([0, 0, 2, None], [1.0, 1.0, 0.0, 0.0], k=3)  # of 4 subsets 2 tie, 1 to 1
    0.75

Source: the majority vote of Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in
Language Models" (2022); the mean over subsets in place of the first k samples is what Chen et al. 2021
do for pass@k.

It is counted, not drawn, and at any n: drawing each sample with the chance k / n and asking for those
draws that have k samples is to draw a subset of k. Then classes are independent, and the votes of all
of them are the product of polynomials, one a class, of which the coefficient of x^k is wanted; it is
found from values at the roots of unity, which is exact but for rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

DECIMALS = 12  # beyond them lies the rounding of the sums, by which equal values would differ


def maj_at_k(classes: Sequence[int | None], rightness: Sequence[float], k: int) -> float:
    """The mean rightness of the majority's answer over all subsets of `k` of a question's samples.

    Args:
        classes: by sample, which answer it votes for; None casts no vote. `Graded.same_as` is one.
        rightness: by sample, 0 to 1; an answer's is the mean of the samples that vote for it.

    Returns:
        0 to 1. Answers that tie for the most votes count as the mean of their rightness, a subset
        without a vote as 0.

    Raises:
        ValueError: unless 1 <= k <= n.
    """
    n = len(classes)
    if not 1 <= k <= n:
        raise ValueError(f"maj@{k} needs 1 <= k <= n, and there are n={n} samples.")
    voters: dict[int, list[float]] = {}
    for answer, score in zip(classes, rightness, strict=True):
        if answer is not None:
            voters.setdefault(answer, []).append(score)
    return _counted(n, k, tuple(sorted((len(s), sum(s) / len(s)) for s in voters.values())))


@functools.lru_cache(maxsize=10_000)  # questions of a run, and rows of a report, are often alike
def _counted(n: int, k: int, answers: tuple[tuple[int, float], ...]) -> float:
    """As above, by the votes and the rightness of each answer."""
    sizes = np.array([votes for votes, _ in answers], dtype=int)
    means = np.array([right for _, right in answers])
    if not means.any():
        return 0.0
    share, most = k / n, min(k, int(sizes[means > 0].max()))
    # Answers with as many samples are alike: `many` of them, right as often as `right` together.
    kinds, kind, many = np.unique(sizes, return_inverse=True, return_counts=True)
    right = np.bincount(kind, means)
    roots = np.exp(-2j * np.pi / (n + 1) * np.arange((n + 1) // 2 + 1))  # of n + 1, half of them
    powers = roots ** np.arange(most + 1)[:, None]
    # [kinds, votes, roots]: exactly so many votes for an answer, and fewer than so many.
    exactly = binom.pmf(np.arange(most + 1), kinds[:, None], share)[:, :, None] * powers
    fewer = np.cumsum(exactly, axis=1) - exactly
    blank = n - int(sizes.sum())
    total = np.zeros(len(roots), dtype=complex)
    for votes in range(max(1, -(-(k - blank) // len(sizes))), most + 1):
        ties, weights = _over_ties(min(k // votes, int((sizes >= votes).sum())))
        beaten = fewer[:, None, votes] + ties[:, None] * exactly[:, None, votes]
        for own in np.flatnonzero((kinds >= votes) & (right > 0)):
            others = many - (np.arange(len(kinds)) == own)
            product = np.prod(beaten ** others[:, None, None], axis=0)
            total += right[own] * exactly[own, votes] * (weights @ product)
    total *= (1.0 - share + share * roots) ** blank
    value = np.fft.irfft(total, n + 1)[k] / binom.pmf(k, n, share)
    return round(float(np.clip(value, 0.0, 1.0)), DECIMALS)


@functools.lru_cache(maxsize=1024)
def _over_ties(most: int) -> tuple[np.ndarray, np.ndarray]:
    """Points y and weights whose sum of weight * y^j is 1 / (j + 1), for j others tied with an answer.

    Gauss and Legendre's for the integral from 0 to 1: exact for j < 2 * points, here for j < `most`.
    """
    points, weights = np.polynomial.legendre.leggauss((most + 1) // 2)
    return (points + 1.0) / 2.0, weights / 2.0
