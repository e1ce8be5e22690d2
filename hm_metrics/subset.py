"""A few of many that differ as much as they can, or stand for all: greedy choices by unit vectors.

    >>> farthest_point(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), 2)
    [0, 2]

Both work through classes first: a row of a class is only taken when every class that still has rows
has been taken as often. Ties go to the first row, so the order of the rows is the caller's say.
Similarities are rounded, so that what is equal but for the order of a sum's terms is equal.

Sources: farthest-point clustering, Gonzalez (1985); facility location by greedy choice, Nemhauser,
Wolsey and Fisher (1978), which reaches 1 - 1/e of the best sum.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

DECIMALS = 5
ROWS = 1024  # whose similarities to all others are held at once


def farthest_point(
    vectors: np.ndarray,
    count: int,
    classes: np.ndarray | None = None,
    seen: np.ndarray | None = None,
) -> list[int]:
    """Rows, each the one whose greatest similarity to those taken before is least.

    Args:
        vectors: [n, d] unit rows.
        count: how many to take; all where there are fewer.
        classes: [n] ints, see above; one class by default.
        seen: [d] sum of what was taken elsewhere: the first row is the one least similar to it. By
            default it is the first row of all.
    """
    exact = np.asarray(vectors, dtype=np.float64)
    first = np.zeros(len(exact)) if seen is None else np.round(exact @ seen, DECIMALS)
    nearest = np.full(len(exact), -np.inf)

    def cost(last: int | None) -> np.ndarray:
        if last is None:
            return first
        np.maximum(nearest, np.round(exact @ exact[last], DECIMALS), out=nearest)
        return nearest

    return _greedy(cost, len(exact), count, classes)


def facility_location(
    vectors: np.ndarray, count: int, classes: np.ndarray | None = None
) -> list[int]:
    """Rows that every row has a similar one among: each adds most to the sum of greatest similarities.

    Arguments as for `farthest_point`.
    """
    exact = np.asarray(vectors, dtype=np.float64)
    covered = np.full(len(exact), -1.0)

    def cost(last: int | None) -> np.ndarray:
        if last is not None:
            np.maximum(covered, np.round(exact @ exact[last], DECIMALS), out=covered)
        gains = np.zeros(len(exact))
        for start in range(0, len(exact), ROWS):
            similar = np.round(exact[start : start + ROWS] @ exact.T, DECIMALS)
            gains += np.maximum(similar - covered[start : start + ROWS, None], 0.0).sum(axis=0)
        return -np.round(gains, DECIMALS)

    return _greedy(cost, len(exact), count, classes)


def _greedy(
    cost: Callable[[int | None], np.ndarray], n: int, count: int, classes: np.ndarray | None
) -> list[int]:
    """Take what costs least, again and again; `cost` is told the last row, None at first."""
    of = (
        np.zeros(n, dtype=np.int64)
        if classes is None
        else np.unique(np.asarray(classes), return_inverse=True)[1]
    )
    uses = np.zeros(int(of.max(initial=-1)) + 1, dtype=np.int64)
    free = np.ones(n, dtype=bool)
    taken: list[int] = []
    while len(taken) < min(count, n):
        costs = cost(taken[-1] if taken else None)
        rows = np.flatnonzero(free)
        rows = rows[uses[of[rows]] == uses[of[rows]].min()]
        row = int(rows[np.argmin(costs[rows])])
        taken.append(row)
        free[row] = False
        uses[of[row]] += 1
    return taken
