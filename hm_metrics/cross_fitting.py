"""Choosing on some questions and judging on the others: folds, and the interval of what was judged.

    >>> [int(inside.sum()) for inside in folds(10, 3, repeats=1)]
    [4, 3, 3]

A value that is averaged over many ways to cut looks surer than it is: what was chosen depends on all the
questions at once, and averaging hides that. So the interval is as wide as one cut's values spread. Two copies
of one thing are then told apart in at most 3 of 100 simulated runs; by the averages alone it is up to 14.

Source: Stone (1974), "Cross-validatory choice and assessment of statistical predictions".
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from hm_metrics.comparison import Difference, paired_difference
from hm_metrics.intervals import CONFIDENCE, ROUNDING


def folds(questions: int, number: int, repeats: int, seed: int = 0) -> list[np.ndarray]:
    """[questions] masks of the questions to judge: all folds of the first repeat, then of the next."""
    random = np.random.default_rng(seed)
    number = min(number, questions)
    found = []
    for _ in range(repeats):
        of_question = random.permutation(questions) % number
        found += [of_question == fold for fold in range(number)]
    return found


def judged_difference(ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """Ours less theirs, of values that were chosen on other questions.

    Args:
        ours, theirs: [R, G] a question's value in each repeat; nan = unscored.
    """
    apart = ours - theirs
    found = paired_difference(_mean(ours), _mean(theirs))
    spread = (
        float(np.sqrt(np.nanmean(np.nanvar(apart, axis=1, ddof=1)))) if found.questions > 1 else 0.0
    )
    if spread <= ROUNDING:
        return found
    error = spread / np.sqrt(found.questions)
    of_t = stats.t(found.questions - 1)
    margin = float(of_t.ppf((1.0 + CONFIDENCE) / 2.0) * error)
    return dataclasses.replace(
        found,
        low=min(found.low, found.estimate - margin),
        high=max(found.high, found.estimate + margin),
        p_value=max(found.p_value, float(2.0 * of_t.sf(abs(found.estimate) / error))),
    )


def _mean(values: np.ndarray) -> np.ndarray:
    """[G] over repeats, of those that have a value; nan without any."""
    known = ~np.isnan(values)
    total = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
