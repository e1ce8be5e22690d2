"""Figure 5 of the paper: pass@k against k, a panel a family."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Curve:
    """pass@k of one model: `error` are standard errors [K]; dotted = somebody else's numbers."""

    label: str
    k: Sequence[int]
    value: Sequence[float]
    error: Sequence[float] | None = None
    alpha: float | None = None
    dotted: bool = False


def pass_at_k_figure(families: Mapping[str, Sequence[Curve]], counting: str) -> Figure:
    raise NotImplementedError
