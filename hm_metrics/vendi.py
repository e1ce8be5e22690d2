"""Vendi score: the effective number of different samples.

Source: Friedman and Dieng, "The Vendi Score" (TMLR 2023), equation 1, with the cosine kernel.

    >>> round(vendi_score(np.eye(3)), 9), round(vendi_score(np.eye(3)[[0, 0, 0]]), 9)
    (3.0, 1.0)
"""

from __future__ import annotations

import numpy as np


def vendi_score(vectors: np.ndarray) -> float:
    """exp of the entropy of the eigenvalues of K / n, where K holds the cosine similarities.

    1 where all samples are equal, n where they are orthogonal.

    Args:
        vectors: [n, d] unit rows.

    Raises:
        ValueError: there are none.
    """
    n = len(vectors)
    if n == 0:
        raise ValueError("vendi_score of no vectors: expected [n, d] with n above 0.")
    rows = np.asarray(vectors, dtype=np.float64)
    # Both products have the same eigenvalues above zero.
    kernel = rows @ rows.T if n <= rows.shape[1] else rows.T @ rows
    values = np.linalg.eigvalsh(kernel / n)
    values = values[values > np.finfo(np.float64).eps * n]
    values = values / values.sum()
    return float(np.exp(-(values * np.log(values)).sum()))
