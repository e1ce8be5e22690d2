"""How alike the programs or answers of a choice are, and the vectors that tell it.

vectors = ProgramVectors(make_embedder("minilm"), texts)
alike(index, offsets, vectors)      # {"records": ..., "local_similarity": ..., ...}
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from tqdm import tqdm

from hm_metrics.diversity import (
    QuestionSums,
    global_over_questions,
    local_over_questions,
    question_sums,
    value_of,
)
from hm_metrics.programs import canonical
from hm_models.embedders import Embedder
from hm_models.files.places import cache_file
from hm_models.files.store import Store
from hm_tasks.curation.select import Index

PART = 256  # texts that are embedded together
HELD = 8  # parts in memory
SHOWN = 6  # decimals of a similarity in files


class ProgramVectors:
    """Vectors of programs or answers, the same to the bit whenever they were made.

    What an encoder gives for a text depends in the last bits on the texts beside it, and a choice may
    hang on them. So programs are embedded and kept in fixed parts, each whole or not at all.

    Args:
        programs: all that will be asked for, in an order of their own.

    Raises:
        hm_models.embedders.Unusable: a program has no vector now, though it may have one later.
    """

    def __init__(self, embedder: Embedder, programs: Iterable[str]) -> None:
        self._embedder = embedder
        self._store = Store(cache_file("embeddings", "parts.sqlite"))
        self._held = functools.lru_cache(HELD)(self._kept)
        self._places: dict[bytes, tuple[tuple[str, int], int]] = {}
        with tqdm(desc=f"Embedding ({embedder.name})", unit=" texts") as bar:
            for part in _parts(programs):
                key = _digest(json.dumps([embedder.identity(), part])).hex()
                if self._store.get(key) is None:
                    self._store.put(key, self._encoded(part).tobytes())
                for row, program in enumerate(part):
                    self._places.setdefault(_digest(program), ((key, len(part)), row))
                bar.update(len(part))

    def __call__(self, programs: Sequence[str]) -> tuple[np.ndarray, list[int]]:
        """[n, d] vectors, and the positions in `programs` of those that have one."""
        rows, known = [], []
        for position, program in enumerate(programs):
            if place := self._places.get(_digest(program)):
                row = self._held(place[0])[place[1]]
                if row.any():
                    rows.append(row)
                    known.append(position)
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32), known

    def _encoded(self, part: list[str]) -> np.ndarray:
        """[len(part), d]; rows of zeros for what the embedder refuses."""
        found: dict[int, np.ndarray] = {}
        for positions, vectors in self._embedder.encode([self._embedder.read(t) for t in part]):
            found |= dict(zip(positions, vectors, strict=True))
        width = len(next(iter(found.values()))) if found else 1
        rows = np.zeros((len(part), width), np.float32)
        for position, vector in found.items():
            rows[position] = vector
        return rows

    def _kept(self, place: tuple[str, int]) -> np.ndarray:
        key, rows = place
        return np.frombuffer(self._store.get(key) or b"", np.float32).reshape(rows, -1)


def alike(index: Index, chosen: Collection[int], vectors: ProgramVectors | None) -> dict[str, Any]:
    """Numbers on the records at some offsets; similarities are None where no pair has vectors.

    Distinct programs (names and layout apart) and behaviours are counted in each problem, and added up;
    answers have neither.
    """
    problems = programs = behaviours = without = 0
    sums: list[QuestionSums] = []
    for entries in index.problems.values():
        taken = [entry for entry in entries if entry.offset in chosen]
        problems += bool(taken)
        # Not through the cache of `canonical`, which would keep them all.
        are_programs = [entry for entry in taken if not entry.is_answer]
        programs += len({canonical.__wrapped__(r.compared, r.entry_point) for r in are_programs})
        behaviours += len({r.behaviour for r in are_programs})
        if taken and vectors:
            rows, known = vectors([record.compared for record in taken])
            without += len(taken) - len(known)
            if known:
                sums.append(question_sums(rows, np.zeros(len(rows), np.int64)))
    found: dict[str, Any] = {
        "records": len(chosen),
        "problems": problems,
    }
    if programs:
        found |= {"distinct_programs": programs, "distinct_behaviours": behaviours}
    if vectors is None:
        return found
    measures = {
        "local_similarity": local_over_questions,
        "global_similarity": global_over_questions,
    }
    for name, measure in measures.items():
        value = value_of(measure, QuestionSums.joined(sums)) if sums else math.nan
        found[name] = None if math.isnan(value) else round(value, SHOWN)
    return found | {"without_vector": without}


def _parts(programs: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(programs)
    while part := list(islice(rest, PART)):
        yield part


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
