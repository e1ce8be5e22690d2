"""A number over the stages of a training run and alpha: which checkpoint to go back to, and how far.

>>> found = StageMap(["step1", "step2"], {("step1", 0.7): 0.5, ("step2", 0.7): 0.6, ("", 1.0): 0.4})
>>> figure = stages_figure({"runs → it": found}, "pass@10", higher_is_better=True)
>>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
['step1', 'step2']
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hm_metrics.figures.style import INK, VERMILLION, panels, styled

COMMON = ""  # the stage of what is the same for all of them
MISSING = "#f2f2f2"
CELL, STAGE = 0.95, 0.42  # inches
LIGHT = 0.45  # mean of red, green and blue: ink on it is dark from here


@dataclasses.dataclass(frozen=True)
class StageMap:
    """One number by stage and alpha.

    Attributes:
        stages: from the earliest on.
        values: stage and alpha to the number; the stage of alpha 1, which all have in common, is "".
    """

    stages: Sequence[str]
    values: Mapping[tuple[str, float], float]

    @property
    def alphas(self) -> list[float]:
        return sorted({alpha for _, alpha in self.values})


def stages_figure(
    maps: Mapping[str, StageMap], label: str, higher_is_better: bool | None
) -> Figure:
    """Draw a map for each name, the latest stage on top, bright where it is better, the best cell outlined.

    Args:
        label: of the number.
        higher_is_better: None outlines nothing.
    """
    widest = max(len(found.alphas) for found in maps.values())
    tallest = max(len(found.stages) for found in maps.values())
    everything = [value for found in maps.values() for value in found.values.values()]
    low, high = min(everything), max(everything)
    scale = matplotlib.colormaps["cividis_r" if higher_is_better is False else "cividis"]
    shades = ScalarMappable(Normalize(low, high if high > low else low + 1e-9), scale)
    with styled():
        figure, grid = panels(len(maps), 2.6 + CELL * widest, 1.2 + STAGE * tallest, across=1)
        for axes, (name, found) in zip(grid, maps.items(), strict=True):
            axes.set_title(name)
            _draw(axes, found, shades, higher_is_better)
        bar = figure.colorbar(shades, ax=grid, fraction=0.05, pad=0.03)
        bar.set_label(label)
        bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _draw(
    axes: Axes, found: StageMap, shades: ScalarMappable, higher_is_better: bool | None
) -> None:
    alphas, rows = found.alphas, len(found.stages)
    best = None
    if higher_is_better is not None:
        sign = 1.0 if higher_is_better else -1.0
        best = max(found.values, key=lambda cell: sign * found.values[cell])
    for column, alpha in enumerate(alphas):
        if (COMMON, alpha) in found.values:
            spans = [(COMMON, 0, rows)]
        else:
            spans = [(stage, row, 1) for row, stage in enumerate(found.stages)]
        for stage, row, height in spans:
            value = found.values.get((stage, alpha))
            _cell(axes, (column, row, height), value, shades, (stage, alpha) == best)
    axes.set_xlim(-0.5, len(alphas) - 0.5)
    axes.set_ylim(-0.5, rows - 0.5)
    axes.set_xticks(range(len(alphas)), [_named(alpha) for alpha in alphas])
    axes.set_yticks(range(rows), list(found.stages))
    axes.set_xlabel("alpha")
    axes.set_ylabel("stage of the base")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _cell(
    axes: Axes,
    place: tuple[int, int, int],
    value: float | None,
    shades: ScalarMappable,
    is_best: bool,
) -> None:
    column, row, height = place
    colour = shades.to_rgba(np.asarray(np.nan if value is None else value))
    axes.add_patch(
        Rectangle(
            (column - 0.48, row - 0.46),
            0.96,
            height - 0.08,
            facecolor=MISSING if value is None else colour,
            edgecolor=VERMILLION if is_best else "none",
            linewidth=2.2 if is_best else 0,
            gid="missing" if value is None else "best" if is_best else "value",
            zorder=3 if is_best else 2,
        )
    )
    if value is not None:
        ink = INK if np.mean(colour[:3]) > LIGHT else "white"
        middle = row + (height - 1) / 2
        axes.text(
            column,
            middle,
            f"{value:.3f}",
            ha="center",
            va="center",
            fontsize=8,
            color=ink,
            zorder=4,
        )


def _named(alpha: float) -> str:
    """The two checkpoints by their names, and what lies beyond them as such."""
    beyond = "" if 0.0 <= alpha <= 1.0 else "extrapolated"
    below = {0.0: "base", 1.0: "instruct,\nall stages"}.get(alpha, beyond)
    return f"{alpha:g}\n{below}" if below else f"{alpha:g}"
