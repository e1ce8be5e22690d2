"""Figures 3 and 4 of the paper: how similarities are distributed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from matplotlib.figure import Figure


def similarity_figure(
    families: Mapping[str, Mapping[str, np.ndarray]],
    which: Literal["local", "global"],
    alphas: Mapping[str, float] | None = None,
) -> Figure:
    """`alphas`: label -> alpha, for its colour."""
    raise NotImplementedError
