"""The embedder of a name: which forms there are, and what each stands for.

>>> make_embedder("openai:text-embedding-3-small@150", base_url="http://localhost:8000/v1").identity()
'openai http://localhost:8000/v1 text-embedding-3-small 150'
>>> make_embedder("word2vec:news")
Traceback (most recent call last):
hm_models.embedders.by_name.UnknownEmbedder: embedder='word2vec:news' is not known. Known: minilm, ...
"""

from __future__ import annotations

import re

from hm_models.embedders.embedder import Embedder, Unusable
from hm_models.errors import UsageError
from hm_models.files.places import CacheError

FORMS = (
    "minilm",
    "openai:MODEL[@DIMENSIONS]",
    "sentence-transformers:NAME_OR_PATH[@DIMENSIONS]",
    "model2vec:NAME_OR_PATH[@DIMENSIONS]",
)


class UnknownEmbedder(UsageError, ValueError):
    """A name that stands for no embedder."""


def why_unusable(error: Exception) -> str:
    """Why an embedder failed, in a sentence; errors of libraries by their type."""
    if isinstance(error, (Unusable, CacheError)):
        return str(error)
    return f"The embedder broke down ({type(error).__name__}: {error})."


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
        from hm_models.embedders.minilm import MiniLM

        return MiniLM()
    if kind == "openai" and model:
        from hm_models.embedders.openai import OpenAIEmbedder
        from hm_models.endpoints.client import Endpoint, EndpointError

        if base_url is not None:
            try:
                Endpoint(base_url).check_address()
            except EndpointError as error:
                raise UnknownEmbedder(f"embedder_base_url={error}") from None
        return OpenAIEmbedder(name, model, dimensions, base_url)
    if kind == "sentence-transformers" and model:
        from hm_models.embedders.libraries import SentenceTransformersEmbedder

        return SentenceTransformersEmbedder(name, model, dimensions)
    if kind == "model2vec" and model:
        from hm_models.embedders.libraries import Model2VecEmbedder

        return Model2VecEmbedder(name, model, dimensions)
    raise UnknownEmbedder(f"embedder={name!r} is not known. Known: {', '.join(FORMS)}.")
