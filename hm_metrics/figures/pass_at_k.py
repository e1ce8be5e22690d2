"""pass@k against k, a panel for each family: figure 5 of the paper.

>>> curve = Curve("alpha 0.7", k=[1, 2], value=[0.57, 0.65], error=[0.02, 0.02], alpha=0.7)
>>> pass_at_k_figure({"Llama-3.1-8B": [curve]}, "base and extra tests").axes[0].get_title(loc="left")
'Llama-3.1-8B'
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter
from numpy.typing import ArrayLike

from hm_metrics.figures.style import (
    DASHES,
    DOTTED,
    INK,
    MARKERS,
    colours_of_alphas,
    legend_below,
    panels,
    styled,
    within_shares,
)

LINEAR = 20  # the largest k on a linear axis; beyond, small k would lie on each other
MOST_TICKS = 12  # every k has its tick up to so many


@dataclasses.dataclass(frozen=True)
class Curve:
    """pass@k of one model.

    Attributes:
        k, value: [K] each, in any order of k; a value is a share of problems, nan where unknown.
        error: [K] standard errors, drawn as a band; None without.
        alpha: what the colour means; None for a model that is no merge.
        dotted: what was not measured here: somebody else's numbers, or extrapolated ones.
        band: [K] low and high in place of errors; None without.
    """

    label: str
    k: Sequence[int]
    value: Sequence[float]
    error: Sequence[float] | None = None
    alpha: float | None = None
    dotted: bool = False
    band: tuple[Sequence[float], Sequence[float]] | None = None


def pass_at_k_figure(
    families: Mapping[str, Sequence[Curve]], counting: str, number: str = "pass@k"
) -> Figure:
    """Draw the curves of each family.

    Args:
        families: name of a panel to its curves.
        counting: what a sample must pass, as "base and extra tests".
        number: pass@k, or another share of problems by k.
    """
    everything = [curve for curves in families.values() for curve in curves]
    colours = colours_of_alphas(curve.alpha for curve in everything)
    with styled():
        wide = len(families) == 1
        figure, grid = panels(len(families), 5.4 if wide else 3.7, 3.7 if wide else 2.9)
        entries: dict[str, Line2D] = {}
        for place, (axes, (family, curves)) in enumerate(zip(grid, families.items(), strict=True)):
            axes.set_title(family)
            _draw(axes, curves, colours, entries)
            axes.set_xlabel("k (samples drawn per problem)" if place >= len(grid) - 2 else "")
            axes.set_ylabel(f"{number} (share of problems)" if place % 2 == 0 else "")
        figure.suptitle(f"{number}, a sample passes: {counting}", fontsize=9, x=0.02, ha="left")
        _legend(figure, entries, everything)
    return figure


def _draw(
    axes: Axes,
    curves: Sequence[Curve],
    colours: Mapping[float | None, str],
    entries: dict[str, Line2D],
) -> None:
    alike: dict[float | None, int] = {}  # of one alpha, by another method or temperature
    numbers = sorted({k for curve in curves for k in curve.k})
    for curve in sorted(curves, key=lambda curve: not curve.dotted):  # ours lie on top
        order = np.argsort(curve.k)
        k, value = np.asarray(curve.k)[order], np.asarray(curve.value, dtype=float)[order]
        colour = colours[curve.alpha]
        if curve.dotted:
            (line,) = axes.plot(k, value, color=colour, linestyle=DOTTED, linewidth=1.5)
        else:
            nth = alike.get(curve.alpha, 0)
            alike[curve.alpha] = nth + 1
            rank = list(colours).index(curve.alpha) + nth
            (line,) = axes.plot(
                k,
                value,
                color=colour,
                linestyle=DASHES[nth % len(DASHES)],
                marker=MARKERS[rank % len(MARKERS)],
                markeredgecolor="white",
                markeredgewidth=0.5,
                markersize=5,
            )
        line.set_gid("paper" if curve.dotted else "ours")
        entries.setdefault(curve.label, line)
        limits: tuple[ArrayLike, ...] = curve.band or ()
        if curve.error is not None:
            error = np.asarray(curve.error, dtype=float)
            limits = curve.value - error, curve.value + error
        if limits:
            low, high = (np.asarray(limit, dtype=float)[order] for limit in limits)
            axes.fill_between(k, low, high, color=colour, alpha=0.13, linewidth=0)
    if numbers and numbers[-1] > LINEAR:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(ScalarFormatter())  # the usual ones write mathtext
        axes.xaxis.set_minor_formatter(NullFormatter())
    if len(numbers) <= MOST_TICKS:
        axes.set_xticks(numbers, [f"{k:,}" for k in numbers])
        axes.minorticks_off()
    elif numbers[-1] <= LINEAR:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(within_shares(*axes.get_ylim()))


def _legend(figure: Figure, entries: Mapping[str, Line2D], curves: Sequence[Curve]) -> None:
    """Every label once; dotted curves in colours that are explained already need one line."""
    dotted = {curve.label: curve.alpha for curve in curves if curve.dotted}
    solid = {curve.alpha for curve in curves if not curve.dotted}
    order = {curve.label: curve.alpha for curve in curves if not curve.dotted}
    shown = {
        label: entries[label]
        for label in sorted(order, key=lambda label: (order[label] is None, order[label] or 0.0))
    }
    if dotted and set(dotted.values()) <= solid:
        names = {label.partition(",")[0] for label in dotted}
        name = f"{' / '.join(sorted(names))} (dotted, same colours)"
        shown[name] = Line2D([], [], color=INK, linestyle=DOTTED, linewidth=1.5)
    else:
        shown |= {label: entries[label] for label in dotted}
    legend_below(figure, shown)
