"""How many samples may go without a verdict before a number over the others says nothing.

    why_no_value(unscored=40, samples=164)      # "40 of 164 samples have no verdict (more than 10 %)"

Samples without a verdict are left out, never counted as wrong. If few are, that changes little; if many
are, whoever made them unscored has chosen what is measured. An own choice, named once, here.
"""

from __future__ import annotations

MOST_UNSCORED = 0.1  # share of samples


def why_no_value(unscored: int, samples: int) -> str:
    """Why a headline number has no value, in words; empty where it has one."""
    if unscored <= MOST_UNSCORED * samples:
        return ""
    return f"{unscored:,} of {samples:,} samples have no verdict (more than {MOST_UNSCORED:.0%})"
