"""Sets of token shingles, and an index that says whether one nearly like it is there already.

Source: Broder, "On the resemblance and containment of documents", 1997 (shingles); Chaudhuri, Ganti, Kaushik,
"A primitive operator for similarity joins", 2006 (the prefixes that make the search exact and quick).

    >>> jaccard(shingles("a b c d", 1, b""), shingles("a b", 1, b""))
    0.5
    >>> index = NearIndex(0.85)
    >>> [index.add([shingles("a + b", 5, b"")]) for _ in range(2)]
    [True, False]
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hm_metrics.ngrams import TOKEN

Shingles = npt.NDArray[np.uint64]

ROUNDING = 1e-9  # of a threshold times a number of shingles


def shingles(text: str, size: int, salt: bytes) -> Shingles:
    """The distinct shingles of a text as sorted 64-bit digests; fewer than `size` tokens are one shingle.

    Args:
        salt: up to 64 bytes; sets of different salts have nothing in common.
    """
    tokens = TOKEN.findall(text)
    empty = hashlib.blake2b(digest_size=8, key=salt)
    found = set()
    for start in range(max(1, len(tokens) - size + 1)):
        digest = empty.copy()
        digest.update("\0".join(tokens[start : start + size]).encode("utf-8", "surrogatepass"))
        found.add(digest.digest())
    return np.sort(np.frombuffer(b"".join(found), ">u8").astype(np.uint64))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Size of the intersection over that of the union, exactly."""
    common = np.intersect1d(one, other, assume_unique=True).size
    return common / (one.size + other.size - common)


class NearIndex:
    """Items of one or more sets each; two are near if each of their sets has the similarity.

    Two sets of that similarity have at least that share of the larger one in common. So, in one order of all
    shingles, the first ones of each, one more than may be missing, have a shingle in common: nothing else
    is compared, and no near item is missed.

    Args:
        threshold: least Jaccard similarity, in (0, 1].
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._items: list[Sequence[Shingles]] = []
        self._by_shingle: defaultdict[int, list[int]] = defaultdict(list)  # of items' first sets

    def add(self, item: Sequence[Shingles]) -> bool:
        """Keep the item and return True, or return False where one near it is kept."""
        size = item[0].size
        first = item[0][: size - math.ceil(self._threshold * size - ROUNDING) + 1].tolist()
        places = {place for shingle in first for place in self._by_shingle.get(shingle, ())}
        if any(self._near(item, self._items[place]) for place in places):
            return False
        for shingle in first:
            self._by_shingle[shingle].append(len(self._items))
        self._items.append(item)
        return True

    def _near(self, one: Sequence[Shingles], other: Sequence[Shingles]) -> bool:
        return len(one) == len(other) and all(
            jaccard(a, b) >= self._threshold for a, b in zip(one, other, strict=True)
        )
