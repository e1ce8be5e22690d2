"""One number of one candidate: its values by question, or a value of which no more than the error is known.

>>> lead((0.6, 0.03), (0.5, 0.04), higher_is_better=True).p_value
0.045...
>>> as_text(np.array([0.0, 1.0, np.nan, 1.0] * 10), iterations=1000)
'0.667 [0.467, 0.833]'
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from hm_metrics.bootstrap import weighted_means
from hm_metrics.comparison import Difference, paired_difference
from hm_metrics.intervals import interval, mean_interval, resamples

# [G] values by question (nan = unscored), or (value, stderr).
Estimate = np.ndarray | tuple[float, float]


def estimate(known: Estimate) -> float:
    """The mean over the scored questions; nan without any."""
    if isinstance(known, tuple):
        return float(known[0])
    scored = known[~np.isnan(known)]
    return float(scored.mean()) if len(scored) else np.nan


def error(known: Estimate) -> float:
    """The standard error; nan where it is not known."""
    if isinstance(known, tuple):
        return float(known[1])
    scored = known[~np.isnan(known)]
    return float(scored.std(ddof=1) / np.sqrt(len(scored))) if len(scored) > 1 else np.nan


def interval_of(known: Estimate, iterations: int) -> tuple[float, float]:
    """low and high of the value; nan, nan where no error is known."""
    if isinstance(known, tuple):
        return interval(*known)
    inside = not np.any((known < 0) | (known > 1))  # nan is neither
    return mean_interval(known, bounds=(0.0, 1.0) if inside else None, iterations=iterations)


def lead(ours: Estimate, theirs: Estimate, higher_is_better: bool) -> Difference:
    """By how much ours is better: positive is better whatever the direction."""
    if isinstance(ours, tuple) or isinstance(theirs, tuple):
        value = estimate(ours) - estimate(theirs)
        spread = float(np.hypot(error(ours), error(theirs)))
        low, high = interval(value, spread)
        p_value = float(2.0 * stats.norm.sf(abs(value) / spread)) if spread > 0 else np.nan
        found = Difference(value, low, high, p_value, 0, 0)
    else:
        found = paired_difference(ours, theirs)
    if higher_is_better:
        return found
    return dataclasses.replace(found, estimate=-found.estimate, low=-found.high, high=-found.low)


def resampled(known: Estimate, iterations: int, random: np.random.Generator) -> np.ndarray:
    """[B] values: over resampled questions (the same for all of as many), or by the standard error."""
    if isinstance(known, tuple):
        return estimate(known) + np.nan_to_num(error(known)) * random.standard_normal(iterations)
    blocks = resamples(len(known), iterations, seed=0)
    return np.concatenate([weighted_means(known[None], block, np.nan)[:, 0] for block in blocks])


def as_text(known: Estimate, iterations: int) -> str:
    """The value with its interval: 0.774 [0.738, 0.81]."""
    low, high = interval_of(known, iterations)
    value = f"{estimate(known):.3g}"
    return value if np.isnan(low) else f"{value} [{low:.3g}, {high:.3g}]"
