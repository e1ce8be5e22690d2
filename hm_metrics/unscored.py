"""When too much has no score, a rate over the rest is not the rate that was asked for.

>>> in_place_of_rate(unscored=1, total=100)
>>> in_place_of_rate(unscored=27, total=36)
'unscored: 27 of 36'
"""

from __future__ import annotations

MOST_UNSCORED = 0.05  # share of samples without a score beyond which there is no headline number


def in_place_of_rate(unscored: int, total: int, most: float = MOST_UNSCORED) -> str | None:
    """What stands where the number would, or None where the number may stand.

    Args:
        unscored: samples that nobody has found out about.
        total: all samples, these among them.
        most: the largest share that may be left out.
    """
    if unscored <= most * total:
        return None
    return f"unscored: {unscored} of {total}"
