"""Equal tuning: the best of m settings of each family, chosen on one half of the questions, judged on the rest.

Whoever may choose among ten settings finds a better one by luck than whoever may choose among two, and whoever
judges on the questions that he chose on counts that luck. So both families get m settings, drawn anew for each
of many seeded halves, the best on one half is judged on the other, then the halves trade places; a question's
value is the mean over all splits that judged on it. The naive comparison is the best of all against the best of
all, on all questions.

    >>> ours, theirs = np.array([[0.0, 1.0, 1.0, 1.0]] * 3), np.array([[0.0, 0.0, 1.0, 1.0]])
    >>> found = equal_tuning(ours, theirs)
    >>> found.m, found.ours, found.theirs, found.difference.estimate
    (1, 0.75, 0.5, 0.25)

Sources: Stone (1974) for choosing and judging apart; Dodge et al. (2019), "Show Your Work", for the expected
best of m settings.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hm_metrics.bootstrap import weighted_means
from hm_metrics.comparison import Difference, paired_difference
from hm_metrics.cross_fitting import folds, judged_difference

SPLITS = 100


@dataclasses.dataclass(frozen=True)
class EqualTuning:
    """What tuning alike says of two families, and what the naive comparison would have said.

    Attributes:
        m: settings that either could choose among.
        ours, theirs: mean value of what was chosen, on questions that it was not chosen on.
        difference: of these, ours less theirs, paired question by question.
        naive: the best of all ours less the best of all theirs, on the questions they were chosen on.
        best: which these two are.
    """

    m: int
    ours: float
    theirs: float
    difference: Difference
    naive: Difference
    best: tuple[int, int]


def equal_tuning(
    ours: np.ndarray,
    theirs: np.ndarray,
    m: int | None = None,
    splits: int = SPLITS,
    seed: int = 0,
) -> EqualTuning:
    """Compare two families of settings with equal tuning.

    Args:
        ours, theirs: [P, G] and [Q, G] values by question, higher is better, nan = unscored.
        m: settings for either; by default all of the family with fewer.
        splits: halves that are drawn; each serves twice.
        seed: the same gives the same.

    Raises:
        ValueError: other questions, fewer than four, or m above the number of settings.
    """
    if ours.ndim != 2 or theirs.ndim != 2 or ours.shape[1] != theirs.shape[1]:
        raise ValueError(
            f"ours {ours.shape} and theirs {theirs.shape}: expected the same questions."
        )
    fewest, questions = min(len(ours), len(theirs)), ours.shape[1]
    m = fewest if m is None else m
    if not 1 <= m <= fewest:
        raise ValueError(
            f"m={m}: there are {len(ours)} and {len(theirs)} settings. Choose m from 1 to {fewest}."
        )
    if questions < 4:
        raise ValueError(f"{questions} questions cannot be halved; expected 4 or more.")
    random = np.random.default_rng(seed)
    cut = np.stack(folds(questions, 2, splits, seed))
    judged = [_judged(family, cut, m, random) for family in (ours, theirs)]
    everything = np.ones((1, questions))
    best = [int(np.argmax(weighted_means(f, everything, -np.inf))) for f in (ours, theirs)]
    return EqualTuning(
        m=m,
        ours=float(np.nanmean(judged[0])),
        theirs=float(np.nanmean(judged[1])),
        difference=judged_difference(judged[0], judged[1]),
        naive=paired_difference(ours[best[0]], theirs[best[1]]),
        best=(best[0], best[1]),
    )


def _judged(values: np.ndarray, cut: np.ndarray, m: int, random: np.random.Generator) -> np.ndarray:
    """[S, G] the value of what was chosen on the half without the question; nan where unscored.

    Args:
        cut: [2 S, G] masks of the questions to judge on, both halves of a split one after the other.
    """
    means = weighted_means(values, (~cut).astype(np.float64), -np.inf)
    # m settings of each half at random: the others cannot be chosen.
    places = np.argsort(random.random(means.shape), axis=1)
    chosen = values[np.argmax(np.where(places < m, means, -np.inf), axis=1)]
    return np.where(cut[::2], chosen[::2], chosen[1::2])
