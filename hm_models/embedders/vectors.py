"""Texts to vectors, each different text embedded once and kept between runs.

    found = embed(texts, make_embedder("minilm"))
    found.vectors[found.rows(texts)]

    >>> TextVectors(np.eye(2, dtype=np.float32), {"x + y": 0, "y + x": 1}).rows(["y + x", " ", "x + y"])
    array([ 1, -1,  0])

They lie in `embeddings/vectors.sqlite` under HM_CACHE.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence

import numpy as np
from tqdm import tqdm

from hm_models.embedders.embedder import Embedder, Unusable
from hm_models.files.places import cache_file
from hm_models.files.store import Store

VERSION = 1  # a part of each key; it changes with what is kept

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TextVectors:
    """Vectors of different texts.

    Attributes:
        vectors: [U, d] float32 unit rows.
        row_of: the row of each text; texts that the embedder refuses have none.
    """

    vectors: np.ndarray
    row_of: dict[str, int]

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """[N] row of each text, -1 for texts without a vector."""
        return np.array([self.row_of.get(text, -1) for text in texts], dtype=np.int64)


def embed(texts: Sequence[str], embedder: Embedder, store: Store | None = None) -> TextVectors:
    """The vectors of texts, from the store or the embedder; blank texts have none.

    Each batch is kept as soon as it is made, so that what failed is all that a second run asks for.

    Raises:
        hm_models.embedders.Unusable: there is no vector for some text now, though there may be later.
    """
    different = [text for text in dict.fromkeys(texts) if text.strip()]
    if not different:
        return TextVectors(np.zeros((0, 0), dtype=np.float32), {})
    store = store or Store(cache_file("embeddings", "vectors.sqlite"))
    identity = embedder.identity()
    read = {text: embedder.read(text) for text in different}
    key_of = {part: _key(identity, part) for part in set(read.values())}
    kept = store.get_many(list(key_of.values()))
    found = {p: np.frombuffer(kept[k], np.float32) for p, k in key_of.items() if k in kept}
    missing = [part for part in dict.fromkeys(read.values()) if part not in found]
    if missing:
        with tqdm(total=len(missing), desc=f"Embedding ({embedder.name})") as bar:
            for positions, vectors in embedder.encode(missing):
                made = {missing[p]: vector for p, vector in zip(positions, vectors, strict=True)}
                _check_widths(embedder.name, found, made)
                store.put_many((key_of[part], vector.tobytes()) for part, vector in made.items())
                found |= made
                bar.update(len(made))
    usable = [text for text in different if read[text] in found]
    if len(usable) < len(different):
        logger.warning(
            "%d of %d texts have no vector.", len(different) - len(usable), len(different)
        )
    width = len(next(iter(found.values()))) if found else 0
    vectors = np.zeros((len(usable), width), dtype=np.float32)
    for row, text in enumerate(usable):
        vectors[row] = found[read[text]]
    return TextVectors(vectors, {text: row for row, text in enumerate(usable)})


def _check_widths(name: str, *vectors: Mapping[str, np.ndarray]) -> None:
    widths = sorted({len(vector) for some in vectors for vector in some.values()})
    if len(widths) > 1:
        raise Unusable(
            f"{name} gave vectors of {widths[0]} and of {widths[-1]} dimensions, now or in an earlier "
            "run. NAME@DIMENSIONS says which are meant, and keeps them apart."
        )


def _key(identity: str, text: str) -> str:
    return hashlib.sha256(json.dumps([VERSION, identity, text]).encode()).hexdigest()
