"""Figures: each function returns a matplotlib Figure; `save` writes it as PNG and PDF."""

from hm_metrics.figures.along_alpha import AlphaLine, along_alpha_figure
from hm_metrics.figures.frontier import FrontierPoint, frontier_figure
from hm_metrics.figures.pass_at_k import Curve, pass_at_k_figure
from hm_metrics.figures.refusal import refusal_figure
from hm_metrics.figures.similarity import similarity_figure
from hm_metrics.figures.stages import StageMap, stages_figure
from hm_metrics.figures.style import save

__all__ = [
    "AlphaLine",
    "Curve",
    "FrontierPoint",
    "StageMap",
    "along_alpha_figure",
    "frontier_figure",
    "pass_at_k_figure",
    "refusal_figure",
    "save",
    "similarity_figure",
    "stages_figure",
]
