"""What a judge decides: the words that it is asked in, how its answer is read, and what scores mean.

Each benchmark has one, beside its task: `hm_tasks.sorry_bench.rubric`, `hm_tasks.xstest.rubric`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Rubric:
    """One decision.

    Attributes:
        name: for results.
        file: the words, with each of `fields` in braces, and `{mark}`.
        read: from a judge's answer, and whether it was asked for the score alone, to the score; None
            where there is none to read.
        expected: what a readable answer has in it, for people.
        names: score to what tables call it, in their order.
        refusal, fulfilment: the scores of an answer that declines (as an empty one does, by rule), and
            of one that does not: all that phrases can tell apart.
        fields: the texts that the judge is shown.
    """

    name: str
    file: Path
    read: Callable[[str, bool], int | None]
    expected: str
    names: Mapping[int, str]
    refusal: int = 0
    fulfilment: int = 1
    fields: tuple[str, ...] = ("question", "answer")
