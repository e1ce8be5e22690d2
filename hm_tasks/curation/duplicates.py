"""Leave out what is in the set already: the same program, a renamed one, nearly the same one.

Three kinds, each looked for among the records of one problem that were kept before:

- *exact*: the same program text, and the same reasoning where there is any;
- *normalised*: the same syntax tree, names and layout apart (`hm_metrics.programs`), and the same
  reasoning but for white space;
- *near*: the Jaccard similarity of the programs' token shingles reaches the threshold, and so does that
  of the reasonings'. Candidates come from MinHash signatures (Broder, 1997, by `datasketch`); each
  is then compared by its true similarity, so that no pair below the threshold is ever called near.

What a training set shows is reasoning and program. So two traces with one program and two thoughts
are two examples, and so are two programs after one thought. Prose around a program is not exported
and not compared; where there is no program the whole text stands for it.

A record is only ever left out for one of the same status, so that no correct program goes because a
wrong one came first; for being *near*, the outputs must agree as well (`Candidate.behaviour`).

    kept = list(deduplicate(records, DuplicateSettings(), counts))
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from hm_metrics.programs import bare, canonical
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.shingles import NearIndex, shingles

EXACT, NORMALISED, NEAR = "exact", "normalised", "near"


class DuplicateError(ValueError):
    """Settings of deduplication that cannot be used."""


@dataclasses.dataclass(frozen=True)
class DuplicateSettings:
    """What counts as a duplicate.

    Attributes:
        near_threshold: least Jaccard similarity of near-duplicates, in (0, 1]; None looks for none.
            0.85 spares variants of short programs, which are what diversity is made of: a changed token
            changes five shingles of five tokens, so that two programs are near with one token apart
            from 66 tokens on (9 % of MBPP+'s reference solutions, 34 % of HumanEval+'s are so long). At
            0.7 they would be from 33 (36 % and 79 %).
        shingle: tokens in a shingle.
        across_problems: compare the records of all problems with one another. Off, since one program
            that solves two problems is two examples: their user turns differ.
    """

    near_threshold: float | None = 0.85
    shingle: int = 5
    across_problems: bool = False

    def __post_init__(self) -> None:
        if self.near_threshold is not None and not 0 < self.near_threshold <= 1:
            raise DuplicateError(
                f"near_threshold={self.near_threshold!r} is no Jaccard similarity: expected a number "
                "above 0 and up to 1, or None to look for no near-duplicates."
            )
        if self.shingle < 1:
            raise DuplicateError(
                f"shingle={self.shingle!r}: expected a number of tokens from 1 on."
            )


def deduplicate(
    records: Iterable[Candidate], settings: DuplicateSettings, counts: Counter[str]
) -> Iterator[Candidate]:
    """The records that are no duplicates of an earlier one, in their order.

    Holds two digests a record, and for near-duplicates about 12 KB for each that is kept: its buckets
    and eight bytes a shingle.

    Args:
        counts: gets how many were left out as `exact`, `normalised` and `near`.

    Raises:
        ImportError: near-duplicates are asked for and `datasketch` is missing; said before anything is
            read.
    """
    near = NearIndex(settings.near_threshold) if settings.near_threshold is not None else None
    return _new_ones(records, settings, near, counts)


def _new_ones(
    records: Iterable[Candidate],
    settings: DuplicateSettings,
    near: NearIndex | None,
    counts: Counter[str],
) -> Iterator[Candidate]:
    seen: set[bytes] = set()
    for record in records:
        group = (record.status, "" if settings.across_problems else record.problem)
        exact = _digest(EXACT, *group, record.program or record.text, record.reasoning)
        if exact in seen:
            counts[EXACT] += 1
            continue
        seen.add(exact)
        normalised = _digest(NORMALISED, *group, *_normalised(record))
        if normalised in seen:
            counts[NORMALISED] += 1
            continue
        seen.add(normalised)
        if near is not None:
            salt = _digest(NEAR, *group, record.behaviour)
            parts = [bare(record.program) if record.program else record.text]
            # The thought comes first where there is one: it tells traces apart better.
            parts = [record.reasoning, *parts] if record.reasoning else parts
            if not near.add([shingles(part, settings.shingle, salt) for part in parts]):
                counts[NEAR] += 1
                continue
        yield record


def _normalised(record: Candidate) -> tuple[str, str]:
    # Not through the cache of `canonical`: each text comes once, and the cache would keep them all.
    program = (
        canonical.__wrapped__(record.program, record.entry_point)
        if record.program
        else f"text: {' '.join(record.text.split())}"
    )
    return program, " ".join(record.reasoning.split())


def _digest(*parts: str) -> bytes:
    """16 bytes over texts and where each of them ends."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.digest()
