"""Names beside points, where they cover no other name, point or line: each takes the freest place.

>>> from hm_metrics.figures.style import panels
>>> _, (axes,) = panels(1, width=3, height=3)
>>> here = place_labels(axes, [("alpha=0.5", 0.5, 0.5, "black"), ("alpha=0.6", 0.5, 0.5, "black")])
>>> one, other = map(Text.get_window_extent, here)
>>> bool(one.overlaps(other))
False
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

# Where a name may stand, in points from its point: near first.
OFFSETS = [
    (distance * x, distance * y)
    for distance in (7.0, 14.0, 24.0, 36.0)
    for x, y in (
        (1, 0.6),
        (-1, 0.6),
        (1, -0.6),
        (-1, -0.6),
        (0, 1.2),
        (0, -1.2),
        (1.4, 0),
        (-1.4, 0),
    )
]
FAR = 20.0  # points; from here on a hair joins the name and its point
STEPS = 25  # places tried along each piece of a line
SIZE = 7.5  # of letters, in points
PADDING = 1.5  # pixels around a name
ONE_PLACE = 10.0  # pixels; points as near as this cover one another


def place_labels(axes: Axes, named: Sequence[tuple[str, float, float, str]]) -> list[Annotation]:
    """Write names (text, x, y, colour) into axes whose limits and lines are final."""
    canvas = axes.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()  # the layout must be known before anything can be measured
    renderer = canvas.get_renderer()
    occupied = _along_lines(axes)
    taken: list[Bbox] = [text.get_window_extent(renderer) for text in axes.texts]
    inside = axes.get_window_extent(renderer)
    points = (
        axes.transData.transform([(x, y) for _, x, y, _ in named]) if named else np.zeros((0, 2))
    )
    placed = []
    for number, (text, x, y, colour) in enumerate(named):
        hair = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkB": 4}
        best: tuple[float, Annotation, Bbox] | None = None
        for rank, (right, up) in enumerate(OFFSETS):
            note = axes.annotate(
                text,
                (x, y),
                (right, up),
                textcoords="offset points",
                ha="left" if right > 0 else "right" if right < 0 else "center",
                va="bottom" if up > 0 else "top" if up < 0 else "center",
                fontsize=SIZE,
                color=colour,
                annotation_clip=False,
                arrowprops=hair if math.hypot(right, up) > FAR else None,
                zorder=5,
            )
            note.update_positions(renderer)
            box = Text.get_window_extent(note, renderer).padded(PADDING)  # without the hair
            cost = _cost(box, occupied, taken, inside) + 0.2 * rank
            cost += 25.0 * _is_nearer_to_another(box, points, number)
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = cost, note, box
            else:
                note.remove()
        assert best is not None
        taken.append(best[2])
        placed.append(best[1])
    return placed


def _cost(box: Bbox, occupied: np.ndarray, taken: Sequence[Bbox], inside: Bbox) -> float:
    """Names on names are worst, then names outside, then names on lines."""
    hit = (
        (occupied[:, 0] > box.x0)
        & (occupied[:, 0] < box.x1)
        & (occupied[:, 1] > box.y0)
        & (occupied[:, 1] < box.y1)
    )
    outside = not (
        inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
    )
    overlaps = sum(box.overlaps(other) for other in taken)
    return 100.0 * overlaps + 20.0 * outside + float(hit.sum())


def _is_nearer_to_another(box: Bbox, points: np.ndarray, own: int) -> bool:
    """Whether a name would be taken for that of another point.

    Args:
        points: [N, 2] pixels.
    """
    corner = np.array([[box.x0, box.y0], [box.x1, box.y1]])
    distances = np.linalg.norm(points - points.clip(corner[0], corner[1]), axis=1)
    others = np.linalg.norm(points - points[own], axis=1) > ONE_PLACE
    return bool((distances[others] < distances[own] - 1e-6).any())


def _along_lines(axes: Axes) -> np.ndarray:
    """[N, 2] pixels that lines and points of the axes cover."""
    found = [np.zeros((0, 2))]
    for line in axes.get_lines():
        corners = axes.transData.transform(np.column_stack(line.get_data()).astype(float))
        share = np.linspace(0.0, 1.0, STEPS)[:, None]
        found.append(corners)
        found += [a + (b - a) * share for a, b in itertools.pairwise(corners)]
    return np.concatenate(found)
