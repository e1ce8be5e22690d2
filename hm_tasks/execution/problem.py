"""What a program is checked against, and what the check says: the data of this package."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

PASS, FAIL, TIMEOUT, UNSCORED = "pass", "fail", "timeout", "unscored"
KINDS = ("base_input", "plus_input")  # of tests, by the field of Problem with their inputs


@dataclasses.dataclass(frozen=True)
class Problem:
    """One problem of a benchmark, with its inputs as Python values and its reference solution.

    `oracle` names whose special rules apply (`mbpp`, `humaneval` or `none`), `dataset` is the hash of
    the file that it is from.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    base_input: list[Any]
    plus_input: list[Any]
    atol: float
    oracle: str = "none"
    dataset: str = ""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One sample's program and what became of it.

    `base_status` (the original tests) and `plus_status` (the extra tests alone) are one of PASS,
    FAIL, TIMEOUT, UNSCORED; `reason` says in words why a sample did not pass; `behaviour` is a digest
    of what the program gave for the inputs, empty where nothing ran.
    """

    program: str
    base_status: str
    plus_status: str
    reason: str = ""
    behaviour: str = ""

    def record(self) -> Record:
        """The verdict as it is logged."""
        return Record(dataclasses.asdict(self))


class Record(dict):
    """A dict whose text is JSON, as the harness writes filtered responses to files by `str`."""

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False)
