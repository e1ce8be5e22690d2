"""What a line's samples answer, as their records name it: a problem for programs, or a question of a task.

>>> asked = Assignment("sums/1", "What is 1 + 1?", "", {}, whole, NO_ANSWER)
>>> asked.read(LoggedSample("It is 2.")), asked.read(LoggedSample("  "))
(('', ''), None)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

NO_ANSWER = "answer without a word"


@dataclasses.dataclass(frozen=True)
class LoggedSample:
    """One of a line's samples; `logged` is what the log's filter made of it."""

    text: Any
    logged: Any = None
    is_program: bool = False
    is_completion: bool = False


@dataclasses.dataclass(frozen=True)
class Assignment:
    """A problem or a question.

    Attributes:
        problem, statement, entry_point: as in `Candidate`.
        provenance: what each record tells of it.
        read: the program of a sample and the thought before it, or None where there is nothing in it.
        nothing: as what such a sample is counted.
        each: what the record of each sample tells besides; empty where that is nothing.
    """

    problem: str
    statement: str
    entry_point: str
    provenance: dict[str, Any]
    read: Callable[[LoggedSample], tuple[str, str] | None]
    nothing: str
    each: Sequence[dict[str, Any]] = ()


def whole(sample: LoggedSample) -> tuple[str, str] | None:
    """How an answer is read: it is its whole text, and has no program."""
    return ("", "") if sample.text.strip() else None
