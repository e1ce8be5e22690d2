"""NoveltyBench's numbers: how many functionally different answers there are, and what they are worth.

Source: Zhang et al., *NoveltyBench* (2025): a user looks at k answers in turn, goes on to the next with
probability `patience`, and gains the score of an answer that differs from all before it, nothing otherwise.

    >>> distinct([0, 1, 0, 2])
    3
    >>> round(utility([0] * 10, [10]), 4)    # one answer, ten times
    2.2406
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PATIENCE = 0.8  # the paper's


def distinct(classes: Sequence[int]) -> int:
    """Number of classes among a question's answers, in the order of the samples."""
    return len(set(classes))


def utility(classes: Sequence[int], scores: Sequence[float], patience: float = PATIENCE) -> float:
    """Expected gain for each answer looked at.

    Args:
        classes: of each answer, in the order of the samples; 0 is the first's, a new one is one higher.
        scores: of each class's first answer, by class.

    Raises:
        ValueError: there is no answer, or not one score for each class.
    """
    if not classes or len(scores) != distinct(classes):
        raise ValueError(
            f"{len(scores)} scores for {distinct(classes)} classes: expected one for each, and at least "
            "one answer."
        )
    first = [number not in classes[:place] for place, number in enumerate(classes)]
    gains = [scores[number] * new for number, new in zip(classes, first, strict=True)]
    return float(np.average(gains, weights=patience ** np.arange(len(classes))))
