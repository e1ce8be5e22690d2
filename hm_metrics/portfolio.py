"""Portfolios: k samples spent over several rows (alphas, samplers, stages) instead of one.

    P(at least one is right) = 1 - prod over rows a of C(n_a - c_a, k_a) / C(n_a, k_a)

of one question, with c_a of the n_a samples of row a right and k_a of them drawn; averaged over questions.
With one row it is pass@k, and as unbiased: the rows' samples are independent.

    >>> correct, samples = np.array([[4, 0], [0, 4]]), np.full((2, 2), 4)
    >>> Search(tables(correct, samples, k=4), k=4).best(np.ones(2))  # each row solves a question of its own
    (1, 3)

The best of many splits looks better than it is. So `portfolio` chooses on some questions and judges on the
others, in seeded folds, and the best single row that it is compared with is chosen in the same way.

Sources: Chen et al. (2021) for one row; Stone (1974) for cross-validated choice; Li et al. (2025, arXiv
2505.20196) for the claim that samples of several checkpoints beat as many of the last one.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from hm_metrics import cross_fitting
from hm_metrics.comparison import Difference
from hm_metrics.intervals import ROUNDING

FOLDS, REPEATS = 5, 4
EXACT_CELLS = 8_000_000  # splits x questions up to which every split is tried: 64 MB

Split = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Portfolio:
    """What spending k samples over several rows brings.

    Attributes:
        split: samples of each row, chosen on all questions: the one to use.
        exact: whether it is the best of all splits (see `Search`).
        naive: its value on the questions that it was chosen on, which flatters it.
        value: of splits on questions that they were not chosen on.
        single: the best single row for k, chosen on all questions; None where no row has k samples.
        single_value: of single rows on questions that they were not chosen on; nan without any.
        difference: `value` less `single_value`, question by question; None without a single row.
        questions: that every row has enough scored samples of; the others were left out.
    """

    split: Split
    exact: bool
    naive: float
    value: float
    single: int | None
    single_value: float
    difference: Difference | None
    questions: int
    left_out: int


def portfolio(
    correct: np.ndarray,
    samples: np.ndarray,
    k: int,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Portfolio:
    """The best split of k samples over the rows, and whether it beats the best single row.

    Args:
        correct, samples: [A, G] right and scored samples of A rows on the same G questions.
        folds, repeats: each question is judged `repeats` times by what was best on the other folds.
        seed: of the folds; the same gives the same.

    Raises:
        ValueError: counts that do not fit, or k above what any split can give.
    """
    correct, samples = _fitting(correct, samples)
    known = enough(samples, k)
    if known.sum() < 2:
        raise ValueError(
            f"{known.sum()} of {len(known)} questions have enough scored samples in every row for k={k}; "
            "expected 2 or more."
        )
    of_rows = tables(correct[:, known], samples[:, known], k)
    alone = np.array([table[k] for table in of_rows if len(table) > k])
    which = [row for row, table in enumerate(of_rows) if len(table) > k]
    questions = int(known.sum())
    search = Search(of_rows, k)
    found, single = np.zeros((2, repeats, questions))
    for number, inside in enumerate(cut := cross_fitting.folds(questions, folds, repeats, seed)):
        weights, repeat = (~inside).astype(np.float64), number * repeats // len(cut)
        found[repeat, inside] = 1.0 - search.none_right(search.best(weights))[inside]
        if which:
            single[repeat, inside] = 1.0 - alone[np.argmin(alone @ weights)][inside]
    everything = np.ones(questions)
    best = search.best(everything)
    return Portfolio(
        split=best,
        exact=search.exact,
        naive=float(1.0 - search.none_right(best).mean()),
        value=float(found.mean()),
        single=which[int(np.argmin(alone @ everything))] if which else None,
        single_value=float(single.mean()) if which else math.nan,
        difference=cross_fitting.judged_difference(found, single) if which else None,
        questions=questions,
        left_out=len(known) - questions,
    )


def enough(samples: np.ndarray, k: int) -> np.ndarray:
    """[G] whether every row has as many scored samples of a question as k could ask of it.

    That is k, or all that the row drew where it drew fewer; as for pass@k, others are left out.

    Raises:
        ValueError: k above what any split can give.
    """
    drawn = _possible(samples, k)[:, None]
    return (samples >= np.minimum(drawn, k)).all(axis=0)


def tables(correct: np.ndarray, samples: np.ndarray, k: int) -> list[np.ndarray]:
    """For each row [most + 1, G]: the chance that none of j of its samples is right, j = 0 ... most.

    `most` is k, or what the row has of every question where that is fewer.

    Raises:
        ValueError: counts that do not fit, or k above what any split can give.
    """
    correct, samples = _fitting(correct, samples)
    _possible(samples, k)
    found = []
    for right, drawn in zip(correct, samples, strict=True):
        most = min(k, int(drawn.min(initial=k)))
        table = np.ones((most + 1, len(drawn)))
        for j in range(most):
            table[j + 1] = table[j] * np.maximum(drawn - right - j, 0) / (drawn - j)
        found.append(table)
    return found


def splits(k: int, most: Sequence[int]) -> list[Split]:
    """Every way to spend k samples, those over fewer rows first.

    >>> splits(2, [2, 1])
    [(2, 0), (1, 1)]
    """
    found = []
    for bars in itertools.combinations(range(k + len(most) - 1), len(most) - 1):
        edges = (-1, *bars, k + len(most) - 1)
        split = tuple(b - a - 1 for a, b in itertools.pairwise(edges))
        if all(spent <= limit for spent, limit in zip(split, most, strict=True)):
            found.append(split)
    return sorted(found, key=lambda split: sum(spent > 0 for spent in split))


class Search:
    """Among the splits of k samples over rows whose tables are known.

    Attributes:
        exact: False where there are too many splits to try: sample by sample to the row that adds
            most, then exchanges of one sample as long as one helps.
    """

    def __init__(self, of_rows: Sequence[np.ndarray], k: int) -> None:
        self._tables, self._k = of_rows, k
        self._most = [len(table) - 1 for table in of_rows]
        if sum(self._most) < k:
            raise ValueError(_too_many(k, self._most))
        number = math.comb(k + len(of_rows) - 1, k)
        self.exact = number * of_rows[0].shape[1] <= EXACT_CELLS
        self._splits = splits(k, self._most) if self.exact else []
        self._all = np.array([self.none_right(split) for split in self._splits])

    def none_right(self, split: Split) -> np.ndarray:
        """[G] the chance that no sample of a split is right."""
        return np.prod([table[j] for table, j in zip(self._tables, split, strict=True)], axis=0)

    def best(self, weights: np.ndarray) -> Split:
        """The one with the highest mean over questions, weighted by [G] weights."""
        if self.exact:
            costs = self._all @ weights
            # Rounding must not prefer a split over more rows.
            return self._splits[int(np.argmax(costs <= costs.min() + ROUNDING * weights.sum()))]
        starts = [self._grown(weights), *self._alone(weights)]
        return min(
            (self._exchanged(s, weights) for s in starts), key=lambda s: self._cost(s, weights)
        )

    def _cost(self, split: Split, weights: np.ndarray) -> float:
        return float(self.none_right(split) @ weights)

    def _alone(self, weights: np.ndarray) -> list[Split]:
        """The best single row, where one has k samples."""
        rows = [row for row, most in enumerate(self._most) if most >= self._k]
        found = [tuple(self._k * (row == one) for row in range(len(self._most))) for one in rows]
        return sorted(found, key=lambda split: self._cost(split, weights))[:1]

    def _grown(self, weights: np.ndarray) -> Split:
        split = [0] * len(self._most)
        for _ in range(self._k):
            left = self.none_right(tuple(split)) * weights
            split[int(np.argmin(self._costs_of_one_more(split, left[None])[0]))] += 1
        return tuple(split)

    def _exchanged(self, split: Split, weights: np.ndarray) -> Split:
        now = list(split)
        while True:
            used = [row for row, spent in enumerate(now) if spent]
            less = [
                self.none_right(tuple(j - (r == row) for r, j in enumerate(now))) for row in used
            ]
            costs = self._costs_of_one_more(now, np.array(less) * weights)
            # One back to where it came from is no exchange.
            costs[np.arange(len(used)), used] = np.inf
            source, target = np.unravel_index(int(np.argmin(costs)), costs.shape)
            if costs[source, target] >= self._cost(tuple(now), weights) - ROUNDING * weights.sum():
                return tuple(now)
            now[used[source]] -= 1
            now[target] += 1

    def _costs_of_one_more(self, split: Sequence[int], left: np.ndarray) -> np.ndarray:
        """[L, A] what [L, G] of cost become with one more sample of each row; inf where it has none."""
        costs = np.full((len(left), len(split)), np.inf)
        for row, (table, j) in enumerate(zip(self._tables, split, strict=True)):
            if j + 1 < len(table):
                now, then = table[j], table[j + 1]
                costs[:, row] = left @ np.divide(then, now, out=np.zeros_like(now), where=now > 0)
        return costs


def _fitting(correct: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    correct, samples = np.asarray(correct), np.asarray(samples)
    shapes = correct.shape == samples.shape and samples.ndim == 2 and samples.size
    if not shapes or np.any((correct < 0) | (correct > samples)):
        raise ValueError(
            f"counts {correct.shape} of {samples.shape} samples: expected [rows, questions] twice, and "
            "as many correct samples as there are at most."
        )
    return correct, samples


def _possible(samples: np.ndarray, k: int) -> np.ndarray:
    """[A] samples that each row drew."""
    drawn = samples.max(axis=1)
    if not 1 <= k <= drawn.sum():
        raise ValueError(_too_many(k, list(drawn)))
    return drawn


def _too_many(k: int, most: Sequence[int]) -> str:
    each = ", ".join(map(str, most))
    return (
        f"k={k}: {len(most)} rows of {each} samples a question can give 1 to {sum(most)}. Choose such a k, "
        "or draw more samples."
    )
