"""How alike samples are: mean cosine similarities of their embeddings.

Source: Hindsight Merging (UAI 2025), section 4: local similarity is taken within a question, global
similarity across questions (as the text defines it). A sum over all pairs is a difference of squared
norms of sums, so both are exact and linear in the number of samples.
"""

from __future__ import annotations

import numpy as np

BLOCK = 65_536  # rows summed at once in float64


def local_similarity(vectors: np.ndarray, groups: np.ndarray) -> float:
    """Mean over questions of the mean cosine similarity between two samples of one question.

    Args:
        vectors: [N, d] unit rows, one a sample.
        groups: [N] ints, the question of each sample. Questions with one sample are left out.

    Returns:
        A value in [-1, 1]; nan if no question has two samples.

    Raises:
        ValueError: shapes do not fit, or rows are not of unit length.
    """
    sums, squares, counts = _group_sums(vectors, groups)
    several = counts > 1
    if not several.any():
        return float("nan")
    pairs = counts[several] * (counts[several] - 1.0)
    within = (sums[several] ** 2).sum(axis=1) - squares[several]
    return float((within / pairs).mean())


def global_similarity(vectors: np.ndarray, groups: np.ndarray) -> float:
    """Mean cosine similarity between two samples of different questions.

    Arguments and errors as for `local_similarity`; nan if there is one question alone.
    """
    sums, _, counts = _group_sums(vectors, groups)
    pairs = counts.sum() ** 2 - (counts**2).sum()
    if pairs == 0:
        return float("nan")
    across = (sums.sum(axis=0) ** 2).sum() - (sums**2).sum()
    return float(across / pairs)


def _group_sums(
    vectors: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per question: sum of the rows [G, d], sum of their squared lengths [G], their number [G]."""
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
        lengths = (block**2).sum(axis=1)
        if not np.allclose(lengths, 1.0, atol=1e-3):
            raise ValueError("vectors: expected rows of unit length; divide each by its norm.")
        np.add.at(sums, index[start : start + BLOCK], block)
        squares += np.bincount(index[start : start + BLOCK], lengths, minlength=n_groups)
    return sums, squares, np.bincount(index, minlength=n_groups).astype(np.float64)
