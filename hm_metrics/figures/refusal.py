"""Figure 6 of the paper: failure to refuse by category, a heat map."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure


def refusal_figure(
    columns: Mapping[str, Mapping[str, float]],
    means: Mapping[str, float],
    families: Mapping[str, str] | None = None,
) -> Figure:
    """`families`: label -> family, to set apart the columns of each."""
    raise NotImplementedError
