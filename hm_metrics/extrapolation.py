"""pass@k for a k beyond the samples that there are: a model's forecast, never a measurement.

The model. A question's chance p of a right sample is 0 with the share w0 (impossible), else drawn from one of
two beta distributions; given p, its c of n samples are binomial:

    p ~ w0 at 0 + w1 Beta(a1, b1) + w2 Beta(a2, b2),        c ~ Binomial(n, p)
    pass@k = w1 (1 - B(a1, b1 + k) / B(a1, b1)) + w2 (1 - B(a2, b2 + k) / B(a2, b2))

with B the beta function. How fast pass@k grows is decided by how many questions have a small p (Schaeffer et
al. 2025, arXiv 2502.17578), which a few samples show badly: none of 11 right may mean never, or once in fifty.
So the interval is over all parameters that the counts allow, by Bayes' rule with a wide prior, and not around
the best fit alone (Kazdan et al. 2025, arXiv 2510.05197, fit a beta-binomial by maximum likelihood). It is for
questions of the kind, as every interval here. scripts/bench_extrapolation.py measures how often it is right.

    >>> counts = np.array([0] * 40 + [1] * 8 + [3] * 6 + [11] * 10)
    >>> (at_100,) = extrapolate(counts, np.full(64, 11), [100])
    >>> 0.3 < at_100.low < at_100.value < at_100.high < 1
    True

The sampler: walkers drawn from the prior go to the posterior in steps (Del Moral et al. 2006), at each moving
along lines through each other (Goodman and Weare 2010).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.special import betaln, expit, log_softmax, logit

from hm_metrics.intervals import CONFIDENCE

WALKERS = 1000
MOVES = 8  # of every walker at each step from the prior to the posterior
EFFECTIVE = 0.5  # share of the walkers that a step leaves with a say
STRETCH = 2.0
WIDER = 1.05  # the interval, in logits around the median: what simulation says it lacks
# Prior: logits of w1 and w2 against w0, then log a and log b of both; normal, independent.
MEAN = np.array([1.5, 1.5, -0.3, 0.7, 0.3, 0.7])
SPREAD = np.array([3.0, 3.0, 1.0, 1.5, 1.0, 1.5])


@dataclasses.dataclass(frozen=True)
class Extrapolated:
    """pass@k by the model: its median over the parameters that the counts allow, and an interval."""

    k: int
    value: float
    low: float
    high: float


def extrapolate(
    correct: np.ndarray,
    samples: np.ndarray,
    ks: Sequence[int],
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> list[Extrapolated]:
    """pass@k for each k, from few samples a question.

    Args:
        correct, samples: [G] right and scored samples; questions without any are left out.
        seed: the same gives the same.

    Raises:
        ValueError: counts that do not fit, fewer than two questions, or a k that is measured.
    """
    correct, samples = np.asarray(correct), np.asarray(samples)
    if (
        correct.shape != samples.shape
        or correct.ndim != 1
        or np.any((correct < 0) | (correct > samples))
    ):
        raise ValueError(
            f"counts {correct.shape} of {samples.shape} samples: expected [questions] twice, and as "
            "many correct samples as there are at most."
        )
    known = samples > 0
    if known.sum() < 2:
        raise ValueError(f"{known.sum()} questions have a scored sample; expected 2 or more.")
    most = int(samples.max())
    if measured := [k for k in ks if k <= most]:
        raise ValueError(f"k={measured[0]} of {most} samples is measured; extrapolate beyond them.")
    drawn = _posterior(*_counted(correct[known], samples[known]), seed)
    tail = (1.0 - confidence) / 2.0
    found = []
    for k in ks:
        low, value, high = np.quantile(_logits(pass_at(drawn, k)), [tail, 0.5, 1.0 - tail])
        limits = value + WIDER * (np.array([low, value, high]) - value)
        found.append(Extrapolated(k, *(float(limit) for limit in expit(limits)[[1, 0, 2]])))
    return found


def pass_at(parameters: np.ndarray, k: int) -> np.ndarray:
    """[N] pass@k of the model for [N, 6] parameters (see MEAN)."""
    weights, a, b = _named(parameters)
    never = np.exp(betaln(a, b + k) - betaln(a, b))
    return (np.exp(weights[:, 1:]) * (1.0 - never)).sum(axis=1)


def _logits(values: np.ndarray) -> np.ndarray:
    return logit(np.clip(values, 1e-12, 1.0 - 1e-12))


def _named(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[N, 3] log weights (0, then both betas), [N, 2] a and [N, 2] b."""
    logits = np.concatenate([np.zeros((len(parameters), 1)), parameters[:, :2]], axis=1)
    return log_softmax(logits, axis=1), np.exp(parameters[:, 2::2]), np.exp(parameters[:, 3::2])


def _counted(correct: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[C] different counts, of how many samples, and how many questions have them."""
    (c, n), times = np.unique(np.stack([correct, samples]), axis=1, return_counts=True)
    return c, n, times


def _log_likelihood(
    parameters: np.ndarray, c: np.ndarray, n: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """[N] of [N, 6] parameters, up to a constant."""
    weights, a, b = _named(parameters)
    most = int(n.max())
    right, wrong, all_ = (_log_rising(x, most) for x in (a, b, a + b))
    of_betas = right[..., c] + wrong[..., n - c] - all_[..., n] + weights[:, 1:, None]
    at_zero = np.where(c == 0, weights[:, :1], -np.inf)
    either = np.logaddexp(of_betas[:, 0], of_betas[:, 1])
    return np.logaddexp(at_zero, either) @ times


def _log_rising(x: np.ndarray, most: int) -> np.ndarray:
    """[..., most + 1] log of x (x + 1) ... (x + j - 1), for j = 0 ... most."""
    found = np.zeros((*x.shape, most + 1))
    np.cumsum(np.log(x[..., None] + np.arange(most)), axis=-1, out=found[..., 1:])
    return found


def _log_prior(parameters: np.ndarray) -> np.ndarray:
    return -0.5 * (((parameters - MEAN) / SPREAD) ** 2).sum(axis=1)


def _posterior(c: np.ndarray, n: np.ndarray, times: np.ndarray, seed: int) -> np.ndarray:
    """[WALKERS, 6] parameters as often as they are likely."""
    random = np.random.default_rng(seed)
    walkers = MEAN + SPREAD * random.standard_normal((WALKERS, len(MEAN)))
    likely = _log_likelihood(walkers, c, n, times)
    power = 0.0  # of the likelihood: 0 is the prior, 1 the posterior
    while power < 1.0:
        step = _step(likely, 1.0 - power)
        power += step
        weights = np.exp(step * (likely - likely.max()))
        places = (np.arange(WALKERS) + random.random()) / WALKERS
        chosen = np.searchsorted(np.cumsum(weights) / weights.sum(), places)
        walkers, likely = walkers[chosen], likely[chosen]
        for _ in range(MOVES):
            halves = np.array_split(random.permutation(WALKERS), 2)
            for moved, still in (halves, halves[::-1]):
                z = (1.0 + (STRETCH - 1.0) * random.random(len(moved))) ** 2 / STRETCH
                others = walkers[random.choice(still, len(moved))]
                tried = others + z[:, None] * (walkers[moved] - others)
                found = _log_likelihood(tried, c, n, times)
                gain = power * (found - likely[moved]) + (len(MEAN) - 1) * np.log(z)
                gain += _log_prior(tried) - _log_prior(walkers[moved])
                taken = np.log(random.random(len(moved))) < gain
                walkers[moved[taken]], likely[moved[taken]] = tried[taken], found[taken]
    return walkers


def _step(likely: np.ndarray, longest: float) -> float:
    """How much more of the likelihood may count, so that EFFECTIVE of the walkers keep a say."""

    def effective(step: float) -> float:
        weights = np.exp(step * (likely - likely.max()))
        return float(weights.sum() ** 2 / (weights**2).sum() / len(weights))

    low, high = 0.0, longest
    if effective(high) >= EFFECTIVE:
        return longest
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if effective(middle) >= EFFECTIVE else (low, middle)
    return low
