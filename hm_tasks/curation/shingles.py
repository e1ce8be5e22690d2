"""Sets of token shingles, and an index that says whether one nearly like it is there already.

Source: Broder, "On the resemblance and containment of documents", 1997; signatures and buckets are
`datasketch`'s MinHash and MinHashLSH.

    >>> jaccard(shingles("a b c d", 1, b""), shingles("a b", 1, b""))
    0.5
    >>> index = NearIndex(0.85)
    >>> [index.add([shingles("a + b", 5, b"")]) for _ in range(2)]
    [True, False]
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hm_metrics.ngrams import TOKEN

Shingles = npt.NDArray[np.uint64]

PERMUTATIONS = 128
SEED = 1  # of the permutations: the same candidates in every run
MISSED = 1e-6  # the most that a pair at the threshold may be missed with


def shingles(text: str, size: int, salt: bytes) -> Shingles:
    """The distinct shingles of a text as sorted 64-bit digests.

    A text of fewer than `size` tokens is one shingle; one of none has none.

    Args:
        salt: up to 64 bytes; sets of different salts have nothing in common.
    """
    tokens = TOKEN.findall(text)
    if not tokens:
        return np.empty(0, np.uint64)
    base = hashlib.blake2b(digest_size=8, key=salt)
    found = set()
    for start in range(max(1, len(tokens) - size + 1)):
        digest = base.copy()
        digest.update("\0".join(tokens[start : start + size]).encode("utf-8", "surrogatepass"))
        found.add(digest.digest())
    return np.sort(np.frombuffer(b"".join(found), ">u8").astype(np.uint64))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Size of the intersection over that of the union, exactly; 1 for two empty sets."""
    common = np.intersect1d(one, other, assume_unique=True).size
    union = one.size + other.size - common
    return common / union if union else 1.0


def rows_per_band(threshold: float) -> int:
    """Rows in each band of the signature: the most that miss a pair at the threshold with MISSED.

    A pair of similarity s shares no band with probability `(1 - s^r)^(PERMUTATIONS // r)`. Few rows
    find more and make more candidates, which costs comparisons and never calls a pair near that is
    not. Below 0.11 a single row misses more than MISSED, at 0.05 one in 700.
    """
    return max(
        (
            rows
            for rows in range(1, PERMUTATIONS // 2 + 1)  # datasketch asks for two bands
            if (1 - threshold**rows) ** (PERMUTATIONS // rows) <= MISSED
        ),
        default=1,
    )


class NearIndex:
    """Items of one or more sets each; two are near if each of their sets has the similarity.

    Args:
        threshold: least Jaccard similarity, in (0, 1].

    Raises:
        ImportError: `datasketch` is missing.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._items: list[Sequence[Shingles]] = []
        _ = self._buckets  # says at once what is missing

    def add(self, item: Sequence[Shingles]) -> bool:
        """Keep the item and return True, or return False where one near it is kept."""
        signature = self._empty.copy()
        signature.update_batch((item[0] & np.uint64(0xFFFFFFFF)).tolist())
        if any(self._near(item, self._items[key]) for key in self._buckets.query(signature)):
            return False
        self._buckets.insert(len(self._items), signature, check_duplication=False)
        self._items.append(item)
        return True

    def _near(self, one: Sequence[Shingles], other: Sequence[Shingles]) -> bool:
        return len(one) == len(other) and all(
            jaccard(a, b) >= self._threshold for a, b in zip(one, other, strict=True)
        )

    @cached_property
    def _buckets(self) -> Any:
        rows = rows_per_band(self._threshold)
        return _datasketch().MinHashLSH(num_perm=PERMUTATIONS, params=(PERMUTATIONS // rows, rows))

    @cached_property
    def _empty(self) -> Any:
        # The shingles are digests already.
        return _datasketch().MinHash(num_perm=PERMUTATIONS, seed=SEED, hashfunc=int)


def _datasketch() -> Any:
    try:
        import datasketch
    except ImportError as error:
        raise ImportError(
            "Near-duplicates are found by `datasketch`, which is not installed: "
            "pip install 'hindsight-merging[curate]'."
        ) from error
    return datasketch
