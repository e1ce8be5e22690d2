"""Two frontiers: the steps over each side's points, and the band where other questions would put them.

>>> side = Side("merging", np.array([0.5, 0.6]), np.array([0.4, 0.3]), ["0.7", "1"], np.linspace(0, 0.6, 5))
>>> contest_figure([side], "1 - local_similarity", "pass@1").axes[0].get_ylabel()
'pass@1'
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from hm_metrics.figures.labels import place_labels
from hm_metrics.figures.style import MARKERS, PALETTE, blank, legend_below, styled, within_shares


@dataclasses.dataclass(frozen=True)
class Side:
    """One frontier.

    Attributes:
        x, y: [P] its points; more is better on both. labels: of the points.
        places: [N] ascending x at which low and high are known.
        low, high: [N] the band of the steps; None without.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    labels: Sequence[str]
    places: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def contest_figure(sides: Sequence[Side], x_label: str, y_label: str) -> Figure:
    """Draw the sides' points, steps and bands; up and to the right is better."""
    with styled():
        figure = blank(6.4, 4.6)
        axes = figure.add_subplot()
        drawn: dict[str, Artist] = {}
        named: list[tuple[str, float, float, str]] = []
        for nth, side in enumerate(sides):
            colour = PALETTE[nth]
            if side.low is not None and side.high is not None:
                axes.fill_between(
                    side.places,
                    side.low,
                    side.high,
                    step="pre",
                    color=colour,
                    alpha=0.15,
                    linewidth=0,
                )
            x, y = _steps(side.x, side.y, float(side.places[0]))
            axes.plot(x, y, color=colour, linewidth=1.4, gid="steps")
            (drawn[side.name],) = axes.plot(
                side.x,
                side.y,
                color=colour,
                linestyle="none",
                marker=MARKERS[nth],
                markersize=6.5,
                markeredgecolor="white",
                markeredgewidth=0.8,
                gid="points",
            )
            there = {place[1:3] for place in named}  # the setting that both begin at is named once
            points = zip(side.labels, map(float, side.x), map(float, side.y), strict=True)
            named += [(*point, colour) for point in points if point[1:] not in there]
        axes.margins(0.08)
        shares = [value for side in sides for value in (*side.x, *side.y)]
        if all(0.0 <= value <= 1.0 for value in shares):
            axes.set_xlim(within_shares(*axes.get_xlim()))
            axes.set_ylim(within_shares(*axes.get_ylim()))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        legend_below(figure, drawn)
        place_labels(axes, named)
    return figure


def _steps(x: np.ndarray, y: np.ndarray, left: float) -> tuple[list[float], list[float]]:
    """Corners of the steps, from the left end down to the axis behind the last point."""
    order = np.argsort(-x)
    best, corners = -np.inf, []
    for across, up in zip(x[order], y[order], strict=True):
        if up > best:
            corners += [(float(across), max(best, float(y.min()))), (float(across), float(up))]
            best = float(up)
    corners.append((left, best))
    return [corner[0] for corner in corners], [corner[1] for corner in corners]
