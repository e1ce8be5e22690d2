"""What an embedder is: strings in, unit vectors out.

>>> unit_rows(np.array([[3.0, 4.0]]))
array([[0.6, 0.8]], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np


class Unusable(Exception):
    """This embedder cannot embed here and now; the message says why, in a sentence for the user."""


class Embedder(Protocol):
    """What embeds texts.

    Attributes:
        name: as the user wrote it.
    """

    name: str

    def identity(self) -> str:
        """Everything that shapes a vector beside the text: model, content, dimensions, server.

        Raises:
            Unusable: the model is not to be had.
        """
        ...

    def read(self, text: str) -> str:
        """The part of a text that the embedder is given; two texts alike in it have one vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        """Yield positions in `texts` and their vectors [len, d], float32 of unit length, as they come.

        Every position comes at most once, in any order. One that never comes was refused by the
        embedder, for good.

        Raises:
            Unusable: texts are left that another try may bring.
        """
        ...


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """[n, d] float32 rows of unit length.

    Raises:
        Unusable: a row is zero or not finite, which has no direction.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise Unusable("The embedder gave a vector that is zero or not finite.")
    return (rows / lengths[:, None]).astype(np.float32)
