"""How many samples may go without a verdict before a number over the others says nothing.

Samples without a verdict are left out, never counted as wrong. If few are, that changes little; if
many are, whoever made them unscored has chosen what is measured. The share is an own choice, named
once, here.

    >>> in_place_of_rate(unscored=1, total=100)
    >>> in_place_of_rate(unscored=27, total=36)
    'unscored: 27 of 36'
"""

from __future__ import annotations

MOST_UNSCORED = 0.05  # share of samples without a verdict beyond which there is no headline number


def in_place_of_rate(unscored: int, total: int, most: float = MOST_UNSCORED) -> str | None:
    """What stands where the number would, or None where the number may stand.

    Args:
        unscored: samples without a verdict.
        total: all samples, these among them.
        most: the largest share that may be left out.
    """
    return f"unscored: {unscored} of {total}" if unscored > most * total else None
