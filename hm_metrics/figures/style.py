"""How every figure looks: colours that colour-blind readers tell apart, fonts, and saving.

>>> list(colours_of_alphas([1.0, 0.5, 0.0]).items())[1:]
[(0.0, '#0072B2'), (1.0, '#D55E00'), (0.5, '#009E73')]

Source: Okabe and Ito (2008), "Color universal design", for the palette. Lines also differ in marker or
dashes, so that colour is never the only difference. No display is needed: figures are drawn by Agg.

    with styled():
        figure, axes = panels(4, width=3.4, height=2.8)
    save(figure, Path("report/figures"), "pass_at_k")   # pass_at_k.png and pass_at_k.pdf
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hm_models.files.text_files import write_bytes

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
# Without yellow, which is too pale for lines on white.
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
# By alpha: the base and the instruct model have their colour everywhere.
OF_CHECKPOINTS = {0.0: BLUE, 1.0: VERMILLION}
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 1.5)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1)))
DOTTED = (0, (1, 1.6))
INK, PALE = "#222222", "#d9d9d9"
DPI = 200

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8c8c8c",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e8",
    "grid.linewidth": 0.7,
    "xtick.color": "#8c8c8c",
    "ytick.color": "#8c8c8c",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,  # letters stay letters
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a dollar sign in a model's name is one
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """The house's look for what is drawn inside; the caller's own settings come back."""
    plain: dict[Any, Any] = {**matplotlib.rcParamsDefault, **STYLE}
    del plain["backend"]  # the caller's choice; reading it would look for a display
    with matplotlib.rc_context(plain):
        yield


def panels(count: int, width: float, height: float, across: int = 2) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels of this size in inches, at most `across` in a row."""
    columns = max(1, min(count, across))
    rows = -(-max(1, count) // columns)
    figure = blank(width * columns, height * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def blank(width: float, height: float) -> Figure:
    """An empty figure with a canvas that needs no display."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def colours_of_alphas(alphas: Iterable[float | None]) -> dict[float | None, str]:
    """A colour for each alpha: blue at 0 (base), vermillion at 1 (instruct), others in order.

    More alphas than the palette has get a scale from dark to light (cividis), which keeps their order.
    None (no alpha) has a colour of its own.
    """
    found = sorted({float(alpha) for alpha in alphas if alpha is not None})
    colours: dict[float | None, str] = {None: BLACK}
    between = [alpha for alpha in found if alpha not in OF_CHECKPOINTS]
    rest = [
        colour for colour in PALETTE if colour not in OF_CHECKPOINTS.values() and colour != BLACK
    ]
    if len(between) <= len(rest):
        colours |= {alpha: OF_CHECKPOINTS[alpha] for alpha in found if alpha in OF_CHECKPOINTS}
        colours |= dict(zip(between, rest, strict=False))
        return colours
    scale = matplotlib.colormaps["cividis"]
    for alpha, place in zip(found, np.linspace(0.0, 0.92, len(found)), strict=True):
        colours[alpha] = matplotlib.colors.to_hex(scale(place))
    return colours


def colours_of_labels(labels: Sequence[str], alphas: Mapping[str, float] | None) -> dict[str, str]:
    """A colour for each label: its alpha's, or where none is known one after the other."""
    known = alphas or {}
    if any(label in known for label in labels):
        of_alpha = colours_of_alphas(known.get(label) for label in labels)
        return {label: of_alpha[known.get(label)] for label in labels}
    return {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(labels)}


def within_shares(low: float, high: float) -> tuple[float, float]:
    """Limits of an axis of shares: nothing far below 0 or above 1, markers at 0 and 1 whole."""
    low, high = max(low, -0.04), min(high, 1.04)
    margin = 0.04 * (high - max(low, 0.0))
    return max(low, -margin), min(high, 1.0 + margin)


def legend_below(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """Every entry once, below the panels, in as many columns as there is room for."""
    room = figure.get_figwidth() * 13  # letters
    longest = max(map(len, entries), default=1)
    in_one_row = sum(len(label) + 7 for label in entries) <= room
    columns = len(entries) if in_one_row else max(1, int(room / (longest + 7)))
    # matplotlib leaves out what begins with an underscore.
    names = [f" {label}" if label.startswith("_") else label for label in entries]
    figure.legend(list(entries.values()), names, loc="outside lower center", ncols=max(1, columns))


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name`.png and `name`.pdf into a folder, which is made where it is missing.

    Each file appears whole or not at all, and the same figure gives the same bytes.

    Returns:
        The paths of the PNG and of the PDF.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
        path = folder / f"{name}.{kind}"
        drawn = io.BytesIO()
        with styled(), warnings.catch_warnings():
            # Names in other scripts have boxes for letters, and very long ones leave little room.
            warnings.simplefilter("ignore", UserWarning)
            figure.savefig(
                drawn,
                format=kind,
                dpi=DPI,
                bbox_inches="tight",
                pad_inches=0.08,
                metadata=metadata,
            )
        write_bytes(path, drawn.getvalue())
        written.append(path)
    return written[0], written[1]
