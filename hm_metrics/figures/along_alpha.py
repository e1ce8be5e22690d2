"""pass@k and similarity against alpha: what going back costs, and what it brings, at one glance.

>>> line = AlphaLine("pass@1", alpha=[0.0, 0.7, 1.0], value=[0.04, 0.12, 0.11], error=[0.01, 0.01, 0.01])
>>> figure = along_alpha_figure({"Llama-3.1-8B": ([line], [])}, "base and extra tests")
>>> figure.axes[0].get_xlabel()
'alpha (0 base, 1 instruct)'
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hm_metrics.figures.style import MARKERS, PALETTE, panels, styled, within_shares


@dataclasses.dataclass(frozen=True)
class AlphaLine:
    """One number of one pair.

    Attributes:
        alpha, value, error: [A] each, alpha rising; errors are standard errors, nan where there is none.
        otherwise: [A] which points were measured in another way than most; they are drawn hollow.
    """

    label: str
    alpha: Sequence[float]
    value: Sequence[float]
    error: Sequence[float]
    otherwise: Sequence[bool] = ()


def along_alpha_figure(
    families: Mapping[str, tuple[Sequence[AlphaLine], Sequence[AlphaLine]]], counting: str
) -> Figure:
    """Two panels for each family: shares of problems on the left, similarities on the right.

    Args:
        families: name to the lines of its two panels.
        counting: what a sample must pass, as "base and extra tests".
    """
    with styled():
        figure, grid = panels(2 * len(families), 3.6, 2.8)
        for number, (family, (shares, similarities)) in enumerate(families.items()):
            left, right = grid[2 * number : 2 * number + 2]
            left.set_title(family)
            _draw(left, shares, 0)
            _draw(right, similarities, len(shares))
            left.set_ylabel("share of problems (higher is better)")
            right.set_ylabel("cosine similarity (lower is better)")
        figure.suptitle(f"pass@k, a sample passes: {counting}", fontsize=9, x=0.02, ha="left")
    return figure


def _draw(axes: Axes, lines: Sequence[AlphaLine], first: int) -> None:
    ticks = sorted({alpha for line in lines for alpha in line.alpha})
    for number, line in enumerate(lines, start=first):
        colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
        alpha, value = np.asarray(line.alpha, float), np.asarray(line.value, float)
        error = np.nan_to_num(np.asarray(line.error, float))
        axes.fill_between(alpha, value - error, value + error, color=colour, alpha=0.13, lw=0)
        axes.plot(alpha, value, color=colour, marker=marker, markersize=5, label=line.label)
        hollow = np.asarray(line.otherwise or np.zeros(len(alpha)), bool)
        axes.plot(
            alpha[hollow], value[hollow], marker, color=colour, mfc="white", ms=5, gid="otherwise"
        )
    axes.set_xlabel("alpha (0 base, 1 instruct)")
    axes.set_xticks(ticks, [f"{alpha:g}" for alpha in ticks])
    axes.set_ylim(within_shares(*axes.get_ylim()))
    if lines:
        axes.legend(loc="best")
