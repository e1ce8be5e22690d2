"""Which one to ship: "pass@10 subject to fulfillment_rate<=0.35". (Signatures first.)"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

# What is known of a candidate's metric: [G] values by question (nan = unscored), or (value, stderr).
Known = np.ndarray | tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Constraint:
    metric: str
    operator: str  # <=, <, >=, >
    limit: float


@dataclasses.dataclass(frozen=True)
class Rule:
    """`metric` to be as high (or low) as possible among those that satisfy `constraints`."""

    metric: str
    higher_is_better: bool
    constraints: tuple[Constraint, ...] = ()

    @classmethod
    def parse(cls, text: str, known: Collection[str] | None = None) -> Rule:
        """ "[max|min] METRIC [subject to METRIC<=NUMBER [and ...]]"; ValueError names the known metrics."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Selection:
    """The answer.

    Attributes:
        best: best by estimate among those whose estimates satisfy the rule; None if none does.
        stands_out: its lead over every rival is clear.
        chance: label -> share of resamples in which it is the best.
        satisfies: label -> "surely", "perhaps" or "not".
        sentence: all that in words.
    """

    best: str | None
    stands_out: bool
    chance: Mapping[str, float]
    satisfies: Mapping[str, str]
    sentence: str


def select(
    rule: Rule,
    candidates: Mapping[str, Mapping[str, Known]],
    confidence: float = 0.95,
    iterations: int = 5000,
    seed: int = 0,
) -> Selection:
    raise NotImplementedError
