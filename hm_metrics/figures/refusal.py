"""What went wrong by category, a heat map with the mean in brackets: failure to refuse, as figure 6 of the
paper, or XSTest's refusals of safe prompts and compliances with unsafe ones.

>>> figure = refusal_figure({"alpha 0.7": {"07 Violent Crimes": 0.1}}, {"alpha 0.7": 0.32})
>>> figure.axes[0].get_ylabel()
'category of request'
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hm_metrics.definitions import DEFINITIONS
from hm_metrics.figures.style import INK, blank, styled
from hm_metrics.judged_definitions import FULFILLMENT

COLOURS = "YlOrBr"  # light to dark, also without colour
MISSING = "#e4e4e4"
ROW, COLUMN = 0.205, 0.62  # inches of a cell
DARK = 0.55  # from here on numbers are white
GAP = 0.35  # of a column, between families


def refusal_figure(
    columns: Mapping[str, Mapping[str, float]],
    means: Mapping[str, float],
    families: Mapping[str, str] | None = None,
    shade: str = DEFINITIONS[FULFILLMENT].axis,
) -> Figure:
    """Draw a column for each label and a row for each category, as the first label orders them.

    Args:
        columns: label to category to the share of answers that went wrong, in [0, 1]; nan = unscored.
        means: label to its mean, for the brackets; a label without one gets none.
        families: label to family; families are set apart and named above their columns.
        shade: what that share is, beside the colours.
    """
    categories = list(dict.fromkeys(name for rates in columns.values() for name in rates))
    labels = list(columns)
    if families:
        order = list(dict.fromkeys(families.get(label, "") for label in labels))
        labels.sort(key=lambda label: order.index(families.get(label, "")))
    places = _places(labels, families)
    width = COLUMN * (places[-1] + 1.0)
    upright = max(map(len, labels)) <= 10
    with styled():
        figure = blank(width + 3.6, ROW * len(categories) + 1.6)
        axes = figure.add_subplot()
        scale = matplotlib.colormaps[COLOURS]
        for place, label in zip(places, labels, strict=True):
            for row, category in enumerate(categories):
                _cell(axes, place, row, columns[label].get(category, math.nan), scale)
            mean = means.get(label, math.nan)
            mark = "" if math.isnan(mean) else f"[{mean:.2f}]"
            axes.text(place, -0.75, mark, ha="center", va="bottom", fontsize=8, weight="bold")
            axes.text(
                place if upright else place - 0.12,
                -1.95,
                label,
                rotation=0 if upright else 35,
                rotation_mode="anchor",
                ha="center" if upright else "left",
                va="bottom",
                fontsize=8,
            )
        if any(label in means for label in labels):
            axes.text(-0.62, -0.75, "[mean]", ha="right", va="bottom", fontsize=8, weight="bold")
        for family in dict.fromkeys((families or {}).values()):
            own = [p for p, label in zip(places, labels, strict=True) if families[label] == family]  # type: ignore[index]
            _bracket(axes, own, len(categories), family)
        axes.set_xlim(-0.5, places[-1] + 0.5)
        axes.set_ylim(len(categories) - 0.5, -0.5)
        axes.set_yticks(range(len(categories)), categories, fontsize=7.5)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_ylabel("category of request")
        shades = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), scale)
        bar = figure.colorbar(
            shades,
            ax=axes,
            fraction=0.035,
            aspect=40,
            shrink=min(1.0, 12 / len(categories)),
            pad=0.03,
        )
        bar.set_label(shade)
        bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _places(labels: list[str], families: Mapping[str, str] | None) -> list[float]:
    place, places = 0.0, [0.0]
    for before, label in itertools.pairwise(labels):
        apart = families is not None and families.get(before) != families.get(label)
        place += 1.0 + (GAP if apart else 0.0)
        places.append(place)
    return places


def _cell(
    axes: Axes, place: float, row: int, rate: float, scale: matplotlib.colors.Colormap
) -> None:
    known = not math.isnan(rate)
    axes.add_patch(
        Rectangle(
            (place - 0.48, row - 0.46),
            0.96,
            0.92,
            facecolor=scale(rate) if known else MISSING,
            hatch=None if known else "////",
            edgecolor="none" if known else "#bdbdbd",
            linewidth=0,
            gid="rate" if known else "missing",
        )
    )
    if known:
        ink = "white" if rate >= DARK else INK
        axes.text(place, row, f"{rate:.2f}", ha="center", va="center", fontsize=6.5, color=ink)


def _bracket(axes: Axes, places: list[float], rows: int, family: str) -> None:
    """The family's name below its columns."""
    y = rows - 0.1
    axes.plot(
        [places[0] - 0.45, places[-1] + 0.45], [y, y], color=INK, linewidth=0.8, clip_on=False
    )
    axes.text(
        float(np.mean(places)), y + 0.25, family, ha="center", va="top", fontsize=8, weight="bold"
    )
