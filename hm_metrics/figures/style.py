"""How every figure looks, and how it is saved."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name`.png and `name`.pdf into the folder (made where missing); returns both paths."""
    raise NotImplementedError
