"""Leave out what is in the set already: the same program, a renamed one, nearly the same one.

Three kinds, each looked for among the records of one problem that were kept before:

- *exact*: the same program text, and the same reasoning where there is any;
- *normalised*: the same syntax tree, names and layout apart (`hm_metrics.programs`), and the same
  reasoning but for white space;
- *near*: the Jaccard similarity of the programs' token shingles reaches the threshold, and so does that
  of the reasonings', each counted exactly.

What a training set shows is reasoning and program. So two traces with one program and two thoughts
are two examples, and so are two programs after one thought. Prose around a program is not exported
and not compared; where there is no program the whole text stands for it.

A record is only ever left out for one of the same status, so that no correct program goes because a
wrong one came first; for being *near*, the outputs must agree as well (`Candidate.behaviour`).

    >>> of = [Candidate("", "P/1", "", "f", "", f"def f({x}): return {x} + 1") for x in ("a", "b", "a")]
    >>> counts = Counter()
    >>> [one.program for one in deduplicate(of, THRESHOLD, counts)], counts
    (['def f(a): return a + 1'], Counter({'normalised': 1, 'exact': 1}))
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from hm_metrics.programs import bare, canonical
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.shingles import NearIndex, shingles

EXACT, NORMALISED, NEAR = "exact", "normalised", "near"
# 0.85 spares variants of short programs, which are what diversity is made of: a changed token changes
# five shingles of five tokens, so that two programs are near with one token apart from 66 tokens on (9 %
# of MBPP+'s reference solutions, 34 % of HumanEval+'s are so long). At 0.7 they would be from 33 (36 % and
# 79 %).
THRESHOLD = 0.85
SHINGLE = 5  # tokens


def deduplicate(
    records: Iterable[Candidate], threshold: float, counts: Counter[str]
) -> Iterator[Candidate]:
    """The records that are no duplicates of an earlier one, in their order.

    Holds two digests a record, and for near-duplicates of each that is kept eight bytes a shingle, and an
    entry of an index for some of them.

    Args:
        threshold: least Jaccard similarity of near-duplicates, in (0, 1].
        counts: gets how many were left out as `exact`, `normalised` and `near`.
    """
    near = NearIndex(threshold)
    seen: set[bytes] = set()
    for record in records:
        # One program that solves two problems is two examples: their user turns differ.
        group = (record.status, record.problem)
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
        salt = _digest(NEAR, *group, record.behaviour)
        parts = [bare(record.program) if record.program else record.text]
        # The thought comes first where there is one: it tells traces apart better.
        parts = [record.reasoning, *parts] if record.reasoning else parts
        if near.add([shingles(part, SHINGLE, salt) for part in parts]):
            yield record
        else:
            counts[NEAR] += 1


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
