"""Benchmarks whose questions' chances are known: many easy ones, many impossible ones, and a mixture.

None is of the model's own making alone: `easy` has no impossible question, `mixed` and `hills` have a hill of
middling ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Chances = Callable[[int, np.random.Generator], np.ndarray]


def easy(questions: int, random: np.random.Generator) -> np.ndarray:
    """Seven of ten are mostly solved, the rest mostly not, none never."""
    return np.where(
        random.random(questions) < 0.7,
        random.beta(8.0, 1.2, questions),
        random.beta(0.5, 2.0, questions),
    )


def impossible(questions: int, random: np.random.Generator) -> np.ndarray:
    """Six of ten are never solved."""
    chances = random.beta(0.4, 2.5, questions)
    return np.where(random.random(questions) < 0.6, 0.0, chances)


def mixed(questions: int, random: np.random.Generator) -> np.ndarray:
    """A quarter are never solved, a third rarely, the rest mostly, by a normal chance in logits."""
    kind = random.random(questions)
    mostly = 1.0 / (1.0 + np.exp(-random.normal(1.3, 1.0, questions)))
    return np.where(
        kind < 0.25, 0.0, np.where(kind < 0.6, random.beta(0.5, 4.0, questions), mostly)
    )


SHAPES: dict[str, Chances] = {"many easy": easy, "many impossible": impossible, "mixed": mixed}


def true_pass_at(chances: Chances, k: int) -> float:
    """Of all the questions of the kind, to three digits."""
    drawn = chances(500_000, np.random.default_rng(12345))
    return float((1.0 - (1.0 - drawn) ** k).mean())
