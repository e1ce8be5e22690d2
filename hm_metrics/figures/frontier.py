"""The frontier: quality against what it costs, a line a family and method over alpha."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Point:
    """One model; errors are standard errors."""

    label: str
    x: float
    x_error: float | None
    y: float
    y_error: float | None


def frontier_figure(lines: Mapping[str, Sequence[Point]], x_label: str, y_label: str) -> Figure:
    raise NotImplementedError
