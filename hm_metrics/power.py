"""How much more would settle an open comparison: more questions, or more samples of each?

The model. A question's difference varies for two reasons: questions differ (T, between), and a few
samples measure each of them with noise (W, within). The mean over G questions has the variance
(T + W) / G. More questions shrink all of it, and any difference but 0 is settled by enough of them.
More samples shrink W alone: where T / G by itself hides the difference, no number of samples
settles it. Both answers take the present difference for the true one, which it is only roughly: read
them as an order of magnitude.

Source: Guenther (1981) for the sample size of Student's test; Lindsay (1995) for the mixture that tells
T from W.

    >>> ours, theirs = np.array([5, 9, 0, 11, 7, 2]), np.array([4, 9, 1, 10, 5, 2])  # correct of 11
    >>> questions_to_settle(ours / 11, theirs / 11)
    37
    >>> samples_to_settle(ours, theirs, samples=11)
    288
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import stats

MOST_SAMPLES = 1_000_000  # nobody draws more: "none would"
# Chances of a correct sample, dense near 0 and 1.
GRID = np.sin(np.linspace(0.0, np.pi / 2.0, 101)) ** 2
_EDGES = np.concatenate([[0.0], (GRID[1:] + GRID[:-1]) / 2.0, [1.0]])
POWER = 0.8  # the chance to see what is there
STEPS = 400  # of expectation maximisation; the variances have settled to three digits by then


def questions_to_settle(
    ours: np.ndarray, theirs: np.ndarray, power: float = POWER, confidence: float = 0.95
) -> int | None:
    """How many questions of this kind would make the interval of the difference exclude 0.

    Args:
        ours, theirs: [G] values by question, nan = unscored, with as many samples each as now.
        power: the chance that the interval of a new run with so many questions excludes 0.

    Returns:
        The number in all, not the number to add; None where no number would, because the difference
        is 0 or fewer than two questions were compared.
    """
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    differences = differences[~np.isnan(differences)]
    if len(differences) < 2:
        return None
    mean, spread = abs(float(differences.mean())), float(differences.std(ddof=1))
    if mean <= 1e-12:
        return None
    outer, inner = _quantiles(power, confidence)
    return max(2, math.ceil(((outer + inner) * spread / mean) ** 2 + outer**2 / 2.0))


def samples_to_settle(
    ours_correct: np.ndarray,
    theirs_correct: np.ndarray,
    samples: int | np.ndarray,
    k: int = 1,
    power: float = POWER,
    confidence: float = 0.95,
) -> int | None:
    """How many samples of each of these questions would make the interval of pass@k exclude 0.

    Args:
        ours_correct, theirs_correct: [G] how many samples of each question are correct.
        samples: how many there are: one number, [G], or [2, G] (ours, theirs); questions with fewer
            than k are left out.
        k: of pass@k; 1 for a rate.

    Returns:
        The number of samples a question in all, for both models; None where no number would: the
        difference is 0, or the questions themselves vary too much, or the counts cannot tell (fewer
        than two samples a question).

    Raises:
        ValueError: counts that do not fit the samples.
    """
    correct = np.stack([np.asarray(ours_correct), np.asarray(theirs_correct)]).astype(int)
    drawn = np.broadcast_to(np.asarray(samples, dtype=int), correct.shape)
    if correct.ndim != 2 or np.any((correct < 0) | (correct > drawn)):
        raise ValueError(
            f"counts {correct.shape} of {drawn.shape} samples: expected [G] numbers from 0 to the "
            "number of samples on both sides."
        )
    usable = (drawn >= max(k, 2)).all(axis=0)
    correct, drawn = correct[:, usable], drawn[:, usable]
    if correct.shape[1] < 2:
        return None
    values = _pass_at_k(drawn, correct, k)
    spread = Spread.of(correct, drawn, k)
    difference = float((values[0] - values[1]).mean())
    return samples_to_detect(difference, spread, correct.shape[1], k, power, confidence)


@dataclasses.dataclass(frozen=True)
class Spread:
    """How much two models' values of a question lie apart by themselves, and by few samples.

    Attributes:
        between: T, the variance over questions of the true difference of pass@k.
        mixtures: [2, GRID] how common each chance of a right sample is, of either model.
    """

    between: float
    mixtures: np.ndarray

    @classmethod
    def of(cls, correct: np.ndarray, samples: np.ndarray, k: int) -> Spread:
        """From [2, G] counts of two models on the same questions, each with max(k, 2) samples at least."""
        values = _pass_at_k(samples, correct, k)
        mixtures = np.stack([_mixture(correct[side], samples[side]) for side in (0, 1)])
        within = sum(float(_mean_noise(samples[side], k) @ mixtures[side]) for side in (0, 1))
        between = max(0.0, float((values[0] - values[1]).var(ddof=1) - within))
        return cls(between, mixtures)

    @classmethod
    def prior(cls) -> Spread:
        """Where nothing was measured: chances are Beta(0.5, 0.5), true differences spread by 0.15."""
        chances = np.diff(stats.beta.cdf(_EDGES, 0.5, 0.5))
        return cls(0.15**2, np.stack([chances, chances]))

    def variance(self, samples: int, k: int) -> float:
        """Of a question's difference of pass@k, with so many samples each."""
        noise = _noise(samples, k)
        return self.between + sum(float(noise @ mixture) for mixture in self.mixtures)


def questions_to_detect(
    difference: float,
    spread: Spread,
    samples: int,
    k: int = 1,
    power: float = POWER,
    confidence: float = 0.95,
) -> int:
    """How many questions, with so many samples each, would show a difference of this size, not 0.

    >>> questions_to_detect(0.03, Spread.prior(), samples=11)
    397
    """
    outer, inner = _quantiles(power, confidence)
    needed = spread.variance(samples, k) * ((outer + inner) / difference) ** 2
    return max(2, math.ceil(needed + outer**2 / 2.0))


def samples_to_detect(
    difference: float,
    spread: Spread,
    questions: int,
    k: int = 1,
    power: float = POWER,
    confidence: float = 0.95,
) -> int | None:
    """How many samples of each of so many questions would; None where no number would.

    >>> samples_to_detect(0.03, Spread.prior(), questions=378)
    13
    """
    outer, inner = _quantiles(power, confidence)
    # As for the questions: the test's own degrees of freedom cost outer^2 / 2 of them.
    allowed = (questions - outer**2 / 2.0) * (difference / (outer + inner)) ** 2
    if abs(difference) <= 1e-12 or spread.variance(MOST_SAMPLES, k) > allowed:
        return None
    low, high = max(k, 1) - 1, MOST_SAMPLES  # `high` is enough, `low` is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if spread.variance(middle, k) <= allowed else (middle, high)
    return high


def _noise(samples: int, k: int) -> np.ndarray:
    """Variance of the estimate of pass@k from so many samples, for each chance of GRID.

    Two draws of k samples share j of them with a hypergeometric chance (Hoeffding 1948).
    """
    wrong = 1.0 - GRID
    shared = np.arange(k + 1)
    chances = stats.hypergeom.pmf(shared, samples, k, k)
    noise = (wrong[:, None] ** (2 * k - shared) * chances).sum(axis=1) - wrong ** (2 * k)
    return np.maximum(noise, 0.0)


def _mean_noise(samples: np.ndarray, k: int) -> np.ndarray:
    """[GRID] `_noise` over questions with different numbers of samples."""
    numbers, times = np.unique(samples, return_counts=True)
    return times @ np.stack([_noise(int(n), k) for n in numbers]) / times.sum()


def _mixture(correct: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """[GRID] how common each chance of a correct sample is among the questions: maximum likelihood."""
    pairs, times = np.unique(np.stack([correct, samples]), axis=1, return_counts=True)
    likelihood = stats.binom.pmf(pairs[0][:, None], pairs[1][:, None], GRID[None, :])
    mixture = np.full(len(GRID), 1.0 / len(GRID))
    for _ in range(STEPS):
        joint = likelihood * mixture
        mixture = times @ (joint / joint.sum(axis=1, keepdims=True)) / times.sum()
    return mixture


def _pass_at_k(samples: np.ndarray, correct: np.ndarray, k: int) -> np.ndarray:
    """pass@k of each; the chance that none of k is correct is hypergeometric."""
    return 1.0 - stats.hypergeom.pmf(0, samples, correct, k)


def _quantiles(power: float, confidence: float) -> tuple[float, float]:
    if not (0.0 < power < 1.0 and 0.0 < confidence < 1.0):
        raise ValueError(
            f"power={power} and confidence={confidence}: expected numbers between 0 and 1."
        )
    return float(stats.norm.ppf((1.0 + confidence) / 2.0)), float(stats.norm.ppf(power))
