"""Answers that are the same to a user where their vectors are close: the last resort, and said so.

No threshold is published for it, and what is close depends on the embedder: such classes compare with those of
the same embedder and threshold alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hm_metrics.judgment import Judgment
from hm_models.embedders import Embedder
from hm_models.embedders.vectors import embed
from hm_tasks.novelty_bench.partition import Compared

EMBEDDER = "embedder"  # who decided


class Closeness:
    """Two answers are the same from a cosine similarity of `threshold` on."""

    def __init__(self, embedder: Embedder, threshold: float) -> None:
        self._embedder, self.threshold = embedder, threshold

    def identity(self) -> dict[str, Any]:
        """What shapes the classes, for results."""
        return {"by": EMBEDDER, "model": self._embedder.name, "threshold": self.threshold}

    def compare(self, pairs: Sequence[Compared]) -> list[Judgment]:
        """A text without a vector is like no other.

        Raises:
            hm_models.embedders.Unusable: the embedder cannot be used; libraries have their own errors.
        """
        firsts, seconds = [pair[1] for pair in pairs], [pair[2] for pair in pairs]
        found = embed([*firsts, *seconds], self._embedder)
        one, other = found.rows(firsts), found.rows(seconds)
        known = (one >= 0) & (other >= 0)
        cosines = np.full(len(pairs), -1.0)
        cosines[known] = np.einsum(
            "nd,nd->n", found.vectors[one[known]], found.vectors[other[known]]
        )
        return [Judgment(int(cosine >= self.threshold), EMBEDDER) for cosine in cosines]
