"""How similarities are distributed: global ones over pairs of questions (figure 3 of the paper), local ones
over questions (figure 4).

A hill for each model, one below the other, so that ten are as readable as four. The dot is the mean
(the number that the tables have), the bar the middle half, the tick the median.

    >>> values = np.random.default_rng(0).uniform(0.5, 1.0, 378)
    >>> similarity_figure({"Llama-3.1-8B": {"alpha 0.7": values}}, "local").axes[0].get_xlabel()
    'local similarity (lower is better)'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from hm_metrics.definitions import DEFINITIONS, GLOBAL, LOCAL
from hm_metrics.figures.style import INK, PALE, colours_of_labels, panels, styled

METRICS = {"local": LOCAL, "global": GLOBAL}
UNITS = {"local": "questions", "global": "pairs of questions"}
GRID = 400
HILL = 0.82  # of the distance between two rows
ROW_INCHES = 0.5
FEWEST_FOR_SHAPE = 20  # below, every value is a stroke
MOST_FOR_SHAPE = 5000  # values a hill is drawn from; more do not change it to the eye


def similarity_figure(
    families: Mapping[str, Mapping[str, np.ndarray]],
    which: Literal["local", "global"],
    alphas: Mapping[str, float] | None = None,
) -> Figure:
    """Draw a hill for each label of each family.

    Args:
        families: name of a panel to label to values [any number], cosines; nan are left out.
        which: what the values are.
        alphas: label to alpha, which gives the colour.
    """
    labels = list(dict.fromkeys(label for found in families.values() for label in found))
    colours = colours_of_labels(labels, alphas)
    most = max(len(found) for found in families.values())
    everything = np.concatenate(
        [_known(values) for found in families.values() for values in found.values()]
        or [np.zeros(0)]
    )
    with styled():
        figure, grid = panels(len(families), 6.2, 1.0 + ROW_INCHES * max(2, most), across=1)
        for axes, (family, found) in zip(grid, families.items(), strict=True):
            axes.set_title(family)
            for row, (label, values) in enumerate(found.items()):
                _hill(axes, row, _known(values), colours[label], which)
            axes.set_yticks(range(len(found)), list(found))
            axes.set_ylim(len(found) - 0.45, -1.0)  # the first on top
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.grid(visible=False, axis="y")
            if len(everything):
                low, high = everything.min(), everything.max()
                margin = 0.06 * max(high - low, 0.02)
                axes.set_xlim(low - margin, min(high + margin, 1.0 + margin / 3))
        grid[-1].set_xlabel(DEFINITIONS[METRICS[which]].axis)
    return figure


def _hill(axes: Axes, row: int, values: np.ndarray, colour: str, which: str) -> None:
    axes.axhline(row, color=PALE, linewidth=0.8, zorder=1)
    if not len(values):
        axes.text(0.5, row, "no values", transform=axes.get_yaxis_transform(), ha="center")
        return
    if len(values) < FEWEST_FOR_SHAPE:  # a hill would promise more than so few can tell
        axes.plot(
            values,
            np.full(len(values), row - 0.3),
            "|",
            markersize=11,
            markeredgewidth=1.4,
            color=colour,
            gid="each",
        )
    else:
        x, height = _shape(values)
        axes.fill_between(
            x, row - HILL * height, row, facecolor=colour, alpha=0.32, linewidth=0, zorder=2
        )
        axes.plot(x, row - HILL * height, color=colour, linewidth=1.3, gid="hill", zorder=3)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    mean = float(values.mean())
    axes.plot([low, high], [row, row], color=colour, linewidth=3.2, solid_capstyle="butt", zorder=4)
    axes.plot([middle, middle], [row - 0.1, row + 0.1], color=INK, linewidth=1.1, zorder=5)
    axes.plot(
        [mean],
        [row],
        "o",
        markersize=5,
        color=colour,
        markeredgecolor="white",
        gid="mean",
        zorder=6,
    )
    axes.text(
        1.01,
        row,
        f"mean {mean:.3f}\n{len(values):,} {UNITS[which]}",
        transform=axes.get_yaxis_transform(),
        va="bottom",
        fontsize=7,
        linespacing=1.25,
    )


def _shape(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[GRID] places and heights, the highest 1: a kernel density, reflected at 1, where cosines end."""
    some = values[:: -(-len(values) // MOST_FOR_SHAPE)]
    low, high = float(values.min()), float(values.max())
    if len(some) < 2 or np.ptp(some) < 1e-9:  # one value: a spike
        return np.array([low - 2e-3, low, low + 2e-3]), np.array([0.0, 1.0, 0.0])
    density = stats.gaussian_kde(some)
    x = np.linspace(low, high, GRID)  # no hill where no value is
    height = density(x) + density(2.0 - x)
    return x, height / height.max()


def _known(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float).ravel()
    return values[~np.isnan(values)]
