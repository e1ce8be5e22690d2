"""How alike samples are: mean cosine similarities of their embeddings.

Source: Hindsight Merging (UAI 2025), section 4: local similarity is taken within a question, global
similarity across questions (as the text defines it); the authors' notebook averages the whole matrix
(`analysis/explore_embeddings.ipynb` in their repository). A sum over all pairs is a difference of
squared norms of sums, so everything here is exact and linear in the number of samples.

    >>> vectors, groups = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), np.array([0, 0, 1])
    >>> round(local_similarity(vectors, groups), 9), round(global_similarity(vectors, groups), 9)
    (0.6, 0.4)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from hm_metrics.bootstrap import bootstrap_error

BLOCK = 8192  # rows summed at once in float64
# Float32 rows miss length 1 by 1e-7; more than this is no rounding.
UNIT_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class QuestionSums:
    """All that the similarities need of the vectors, by question.

    Attributes:
        sums: [G, d] float64, the sum of a question's vectors.
        squares: [G] float64, the sum of their squared lengths (about their number).
        counts: [G] float64, how many there are.
    """

    sums: np.ndarray
    squares: np.ndarray
    counts: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[QuestionSums]) -> QuestionSums:
        """The questions of several parts, as different questions."""
        return cls(
            np.concatenate([part.sums for part in parts]),
            np.concatenate([part.squares for part in parts]),
            np.concatenate([part.counts for part in parts]),
        )

    def one(self, row: int) -> QuestionSums:
        """One question alone."""
        part = slice(row, row + 1)
        return QuestionSums(self.sums[part], self.squares[part], self.counts[part])

    def __str__(self) -> str:
        return f"{self.counts.sum():.0f} vectors"  # what logs show


# A measure of weighted questions: [B, G] weights to [B] values, nan where there is no pair.
OverQuestions = Callable[[QuestionSums, np.ndarray], np.ndarray]


def question_sums(vectors: np.ndarray, groups: np.ndarray) -> QuestionSums:
    """Sum the vectors of each question, in blocks, in float64.

    Args:
        vectors: [N, d] unit rows, one a sample.
        groups: [N] ints, the question of each sample, in any order.

    Raises:
        ValueError: shapes do not fit, or rows are not of unit length.
    """
    from scipy.sparse import csr_matrix

    vectors, groups = np.asarray(vectors), np.asarray(groups)
    if vectors.ndim != 2 or groups.shape != vectors.shape[:1]:
        raise ValueError(
            f"vectors {vectors.shape} and groups {groups.shape}: expected [N, d] and [N]."
        )
    _, index = np.unique(groups, return_inverse=True)
    n_groups = int(index.max(initial=-1)) + 1
    sums = np.zeros((n_groups, vectors.shape[1]))
    squares = np.zeros(n_groups)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK].astype(np.float64)
        of = index[start : start + BLOCK]
        lengths = np.einsum("ij,ij->i", block, block)
        if not np.all(np.abs(lengths - 1.0) < UNIT_TOLERANCE):  # nan included
            raise ValueError("vectors: expected rows of unit length; divide each by its norm.")
        ones = np.ones(len(of))
        sums += csr_matrix((ones, (of, np.arange(len(of)))), shape=(n_groups, len(of))) @ block
        squares += np.bincount(of, lengths, minlength=n_groups)
    return QuestionSums(sums, squares, np.bincount(index, minlength=n_groups).astype(np.float64))


def local_similarity(vectors: np.ndarray, groups: np.ndarray) -> float:
    """Mean over questions of the mean cosine similarity between two samples of one question.

    Arguments and errors are those of `question_sums`. Questions with one sample are left out.

    Returns:
        A value in [-1, 1]; nan if no question has two samples.
    """
    return value_of(local_over_questions, question_sums(vectors, groups))


def global_similarity(vectors: np.ndarray, groups: np.ndarray) -> float:
    """Mean cosine similarity between two samples of different questions; nan if there is one alone."""
    return value_of(global_over_questions, question_sums(vectors, groups))


def global_similarity_all_pairs(vectors: np.ndarray, groups: np.ndarray) -> float:
    """Mean of the whole matrix of cosine similarities, as in the authors' notebook.

    Pairs within a question count, and so does each sample's similarity of 1 with itself.
    """
    return value_of(all_pairs_over_questions, question_sums(vectors, groups))


def local_of_each(sums: QuestionSums) -> np.ndarray:
    """[G] mean similarity between two samples of each question; nan for questions without a pair."""
    within = (sums.sums**2).sum(axis=1) - sums.squares
    pairs = sums.counts * (sums.counts - 1.0)
    return np.divide(within, pairs, out=np.full_like(within, np.nan), where=pairs > 0)


def local_over_questions(sums: QuestionSums, weights: np.ndarray) -> np.ndarray:
    """`local_similarity` of weighted questions."""
    each = local_of_each(sums)
    known = ~np.isnan(each)
    return _ratio(weights[:, known] @ each[known], weights[:, known].sum(axis=1))


def global_over_questions(sums: QuestionSums, weights: np.ndarray) -> np.ndarray:
    """`global_similarity` of weighted questions; a question drawn twice makes no pair with itself."""
    total, within = _products(sums, weights)
    pairs = (weights @ sums.counts) ** 2 - weights**2 @ sums.counts**2
    return _ratio(total - within, pairs)


def all_pairs_over_questions(sums: QuestionSums, weights: np.ndarray) -> np.ndarray:
    """`global_similarity_all_pairs` of weighted questions; no pairs of a question drawn twice."""
    total, within = _products(sums, weights)
    own = weights @ (sums.sums**2).sum(axis=1)
    pairs = (weights @ sums.counts) ** 2 - weights**2 @ sums.counts**2 + weights @ sums.counts**2
    return _ratio(total - within + own, pairs)


def value_of(measure: OverQuestions, sums: QuestionSums) -> float:
    """The measure over all questions, each counted once."""
    return float(measure(sums, np.ones((1, len(sums.counts))))[0])


def standard_error(measure: OverQuestions, sums: QuestionSums, iterations: int = 1000) -> float:
    """Standard error of `value_of` by a seeded bootstrap over questions; nan for fewer than two."""
    return bootstrap_error(lambda weights: measure(sums, weights), len(sums.counts), iterations)


def _products(sums: QuestionSums, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared norm of the weighted sum [B], and the part of it that lies within questions [B]."""
    total = ((weights @ sums.sums) ** 2).sum(axis=1)
    return total, weights**2 @ (sums.sums**2).sum(axis=1)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
