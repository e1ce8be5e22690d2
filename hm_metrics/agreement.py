"""How far two judges agree: accuracy, Cohen's kappa with its interval, who confuses what, and where.

Source: Cohen (1960) for kappa; Fleiss, Cohen and Everitt (1969), equation 13, for its standard error in
large samples, which is what statsmodels computes too.

    >>> agreement([1, 1, 0, 0], [1, 0, 0, 0]).kappa
    0.5
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Two judges over the same items.

    Attributes:
        n: items.
        accuracy: share of items on which they agree.
        kappa: 1 for full agreement, 0 for as much as chance gives; nan where chance alone gives full
            agreement (both gave one and the same label to everything).
        kappa_low, kappa_high: its interval, cut to [-1, 1].
        labels: in order.
        confusion: [first's label][second's label], counts.
    """

    n: int
    accuracy: float
    kappa: float
    kappa_low: float
    kappa_high: float
    labels: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]


def agreement(
    first: Sequence[int],
    second: Sequence[int],
    labels: Sequence[int] = (0, 1),
    confidence: float = 0.95,
) -> Agreement:
    """Compare two judges' labels, item by item.

    Args:
        first, second: of equal length; each one of `labels`.
        confidence: of kappa's interval.

    Raises:
        ValueError: lengths differ, there is no item, or a label is not one of `labels`.
    """
    if len(first) != len(second) or not first:
        raise ValueError(
            f"{len(first)} and {len(second)} labels: expected two lists of equal length above 0."
        )
    if unknown := ({*first, *second} - set(labels)):
        raise ValueError(f"labels {sorted(unknown)} are not known; expected {list(labels)}.")
    place = {label: index for index, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for one, other in zip(first, second, strict=True):
        table[place[one], place[other]] += 1
    value, error = _kappa(table / len(first), len(first))
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return Agreement(
        n=len(first),
        accuracy=float(np.trace(table) / len(first)),
        kappa=value,
        kappa_low=max(-1.0, value - reach) if reach == reach else reach,
        kappa_high=min(1.0, value + reach) if reach == reach else reach,
        labels=tuple(labels),
        confusion=tuple(tuple(int(count) for count in row) for row in table),
    )


def _kappa(shares: np.ndarray, n: int) -> tuple[float, float]:
    """Kappa and its standard error, from the [k, k] shares of n items; nan where chance is all."""
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    by_chance = float(rows @ columns)
    if by_chance >= 1.0:
        return float("nan"), float("nan")
    agreed = float(np.trace(shares))
    kappa = (agreed - by_chance) / (1 - by_chance)
    # Fleiss, Cohen and Everitt: agreeing cells, disputed cells, and what kappa itself takes off.
    marginals = rows[:, None] + columns[None, :]
    diagonal = np.diag(shares) @ (1 - np.diag(marginals) * (1 - kappa)) ** 2
    crossed = shares * (columns[:, None] + rows[None, :]) ** 2
    beside = (1 - kappa) ** 2 * (crossed.sum() - np.trace(crossed))
    taken = (kappa - by_chance * (1 - kappa)) ** 2
    variance = (diagonal + beside - taken) / (n * (1 - by_chance) ** 2)
    return kappa, float(np.sqrt(max(0.0, variance)))


def disputed(
    first: Sequence[int], second: Sequence[int], groups: Sequence[str], most: int = 10
) -> list[tuple[str, int, int]]:
    """(group, items on which they differ, items) of those groups with the most disputes, most first."""
    items: Counter[str] = Counter(groups)
    differ = Counter(
        group for one, other, group in zip(first, second, groups, strict=True) if one != other
    )
    ranked = sorted(differ, key=lambda group: (-differ[group] / items[group], group))
    return [(group, differ[group], items[group]) for group in ranked[:most]]
