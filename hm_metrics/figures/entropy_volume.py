"""What a step on a token does to the volume of the logits, by the model's entropy: figure 2 of the paper.

>>> import numpy as np
>>> figure = entropy_volume_figure(np.array([0.1, 2.0]), np.zeros((2, 10)), lr=0.1, model="a model")
>>> len(figure.axes[0].lines)  # a line for each rank, and the one at 0
11
"""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hm_metrics.figures.style import blank, styled

BINS = 20  # by entropy, with as many positions each


def entropy_volume_figure(
    entropy: np.ndarray, log_volume: np.ndarray, lr: float, model: str
) -> Figure:
    """Draw the mean log-volume by entropy.

    Args:
        entropy: [T] of the model's distribution at each position, in nats.
        log_volume: [T, R] log|det(I - lr * H)| of a step on the token of each rank.
    """
    groups = np.array_split(np.argsort(entropy), min(BINS, len(entropy)))
    x = [entropy[group].mean() for group in groups]
    ranks = log_volume.shape[1]
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.95, ranks))
    with styled():
        figure = blank(7, 4.5)
        axes = figure.subplots()
        for rank in range(ranks):
            y = [log_volume[group, rank].mean() for group in groups]
            axes.plot(x, y, color=colours[rank], label=str(rank + 1), linewidth=1.4)
        axes.axhline(0, color="grey", linewidth=0.8)
        axes.set_xlabel("entropy of the model's distribution (nats)")
        axes.set_ylabel(f"log |det(I - lr H)|, lr = {lr:g}")
        axes.set_title(model, parse_math=False)
        axes.legend(title="rank of the target", ncols=2, fontsize=8)
    return figure
