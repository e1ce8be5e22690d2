"""Choose up to N records, balanced over problems: at random, or those that differ most.

    >>> balanced({"Mbpp/2": 9, "Mbpp/3": 1, "Mbpp/4": 2}, most=6, seed=0)
    {'Mbpp/2': 3, 'Mbpp/3': 1, 'Mbpp/4': 2}

Shares are dealt out in rounds: no problem gets its m+1st record before every problem that has m of them
got its m-th. Which problems get one in the last round, where it does not go all the way, is drawn by
the seed. The shares are the same for all ways of choosing, so that two choices compare.

`random` is what the paper's authors do. `diverse` goes through classes of behaviour first (programs
that pass mostly share one) and takes within a problem what is least like what it has, by embeddings of
programs or answers; `representative` takes what stands best for all of the problem's.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from hm_metrics.subset import facility_location, farthest_point
from hm_models.files.text_files import lines_of, open_bytes
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.draw import lot

RANDOM, DIVERSE, REPRESENTATIVE = WAYS = ("random", "diverse", "representative")
# Programs or answers of a problem to their vectors [n, d] and, in order, which of them have one.
Vectors = Callable[[list[str]], tuple[np.ndarray, list[int]]]


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a choice needs to know of a record, and where its line begins."""

    offset: int
    id: str
    compared: str
    entry_point: str
    behaviour: str
    is_answer: bool


@dataclasses.dataclass(frozen=True)
class Index:
    """The records of a file, read once: all but their texts.

    Attributes:
        problems: the entries of each problem (and data set), in the order of the file.
    """

    file: Path
    problems: dict[str, list[Entry]]

    @classmethod
    def of(cls, file: Path) -> Index:
        problems: dict[str, list[Entry]] = defaultdict(list)
        for _, offset, line in lines_of(file):
            found = Candidate.read(line)
            entry = Entry(
                offset,
                found.id,
                found.compared,
                found.entry_point,
                found.behaviour,
                found.is_answer,
            )
            problems[f"{found.provenance['dataset']} {found.problem}"].append(entry)
        return cls(file, dict(problems))

    def each(self, offsets: Iterable[int]) -> Iterator[Candidate]:
        """The records that begin at offsets, one in memory at a time."""
        with open_bytes(self.file) as file:
            for offset in offsets:
                file.seek(offset)
                yield Candidate.read(file.readline().decode("utf-8"))


def balanced(available: Mapping[str, int], most: int | None, seed: int) -> dict[str, int]:
    """How many of each problem are taken: in rounds, up to `most` together."""
    total = sum(available.values())
    left = total if most is None else min(most, total)
    shares = dict.fromkeys(available, 0)
    while left:
        able = [problem for problem in available if shares[problem] < available[problem]]
        if len(able) > left:
            able = sorted(able, key=lambda problem: lot(seed, problem))[:left]
        for problem in able:
            shares[problem] += 1
        left -= len(able)
    return shares


def chosen_at_random(index: Index, shares: Mapping[str, int], seed: int) -> set[int]:
    """Offsets of records, drawn by the seed. A larger share holds a smaller one's."""
    chosen: set[int] = set()
    for problem, entries in index.problems.items():
        drawn = sorted(entries, key=lambda entry: lot(seed, entry.id))
        chosen |= {entry.offset for entry in drawn[: shares[problem]]}
    return chosen


def chosen_by_vectors(
    index: Index, shares: Mapping[str, int], seed: int, vectors: Vectors, way: str
) -> set[int]:
    """Offsets of the records that differ most (DIVERSE) or stand for most (REPRESENTATIVE).

    What has no vector comes last. Ties go to whom the seed draws first.
    """
    chosen: set[int] = set()
    seen: np.ndarray | None = None  # the sum of what was taken for other problems
    for problem, entries in index.problems.items():
        drawn = sorted(entries, key=lambda entry: lot(seed, entry.id))
        rows, known = vectors([entry.compared for entry in drawn])
        classes = np.unique([drawn[n].behaviour for n in known], return_inverse=True)[1]
        share = shares[problem]
        if way == DIVERSE:
            picks = farthest_point(rows, share, classes, seen)
        else:
            picks = facility_location(rows, share, classes)
        if picks:
            sum_of_picks = rows[picks].astype(np.float64).sum(axis=0)
            seen = sum_of_picks if seen is None else seen + sum_of_picks
        without = sorted(set(range(len(drawn))) - set(known))
        order = [known[row] for row in picks] + without
        chosen |= {drawn[n].offset for n in order[:share]}
    return chosen
