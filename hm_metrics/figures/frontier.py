"""The frontier: quality against what it costs, a line for each family and method over alpha.

>>> points = [FrontierPoint("alpha 0.7", 0.32, 0.02, 0.74, 0.02)]
>>> frontier_figure({"Llama-3.1-8B": points}, "failure to refuse", "pass@10").axes[0].get_xlabel()
'failure to refuse'
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hm_metrics.figures.labels import place_labels
from hm_metrics.figures.style import (
    DASHES,
    MARKERS,
    PALETTE,
    blank,
    legend_below,
    styled,
    within_shares,
)


@dataclasses.dataclass(frozen=True)
class FrontierPoint:
    """One model; errors are standard errors, None where there is none."""

    label: str
    x: float
    x_error: float | None
    y: float
    y_error: float | None


def frontier_figure(
    lines: Mapping[str, Sequence[FrontierPoint]],
    x_label: str,
    y_label: str,
    y_lower: bool = False,
) -> Figure:
    """Draw each line through its points in the order given, and name the points.

    Args:
        lines: name of a line (family, method; or a sampler) to its points.
        x_label, y_label: with units, and which way is better.
        y_lower: less of y is better, too.
    """
    with styled():
        figure = blank(6.4, 4.6)
        axes = figure.add_subplot()
        named: list[tuple[str, float, float, str]] = []
        drawn: dict[str, Line2D] = {}
        for nth, (name, points) in enumerate(lines.items()):
            colour = PALETTE[nth % len(PALETTE)]
            x, y = [point.x for point in points], [point.y for point in points]
            axes.errorbar(
                x,
                y,
                xerr=[point.x_error or 0.0 for point in points],
                yerr=[point.y_error or 0.0 for point in points],
                fmt="none",
                ecolor=colour,
                alpha=0.35,
                elinewidth=1.0,
                zorder=2,
            )
            (drawn[name],) = axes.plot(
                x,
                y,
                color=colour,
                linestyle=DASHES[nth // len(PALETTE) % len(DASHES)],
                marker=MARKERS[nth % len(MARKERS)],
                markersize=6.5,
                markeredgecolor="white",
                markeredgewidth=0.8,
                gid="line",
                zorder=3,
            )
            there = {place[:3] for place in named}  # what lines have in common is named once
            of_line = [(point.label, point.x, point.y, colour) for point in points]
            named += [place for place in of_line if place[:3] not in there]
        axes.margins(0.12)
        everything = [point for points in lines.values() for point in points]
        if all(0.0 <= point.x <= 1.0 for point in everything):
            axes.set_xlim(within_shares(*axes.get_xlim()))
        if all(0.0 <= point.y <= 1.0 for point in everything):
            axes.set_ylim(within_shares(*axes.get_ylim()))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        _hint(axes, 1.0 if y_lower else 0.0)
        legend_below(figure, drawn)
        place_labels(axes, named)
    return figure


def _hint(axes: Axes, turned: float) -> None:
    """Up and to the left is better on both axes; turned, down and to the left."""
    axes.annotate(
        "better",
        xy=(0.02, abs(turned - 0.98)),
        xytext=(0.11, abs(turned - 0.88)),
        xycoords="axes fraction",
        textcoords="axes fraction",
        ha="left",
        va="center",
        fontsize=8,
        color="#6f6f6f",
        arrowprops={"arrowstyle": "->", "color": "#6f6f6f", "linewidth": 1.0},
    )
