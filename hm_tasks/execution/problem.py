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
    FAIL, TIMEOUT, UNSCORED; `reason` says in words why a sample did not pass.

    `behaviour` is a digest (16 hex digits) of what the program did: its outputs on the inputs, kind by
    kind of tests and in order, and how it ended. Two programs of a problem with one behaviour gave
    equal outputs (what counts as equal: `hm_tasks.execution.behaviour`) and ended alike: all inputs
    done, the wrong output, an exception by its type's name, or out of time. It is empty where
    nothing ran: no program, or unscored. It does not say
    - what a failing program would do beyond its first failing input, where its run ends: programs
      with one wrong output in common may differ there;
    - how far a program came in tests in which it ran out of time (or ended its own process), or what
      it gave there: with the machine's load that would change;
    - anything that outlasts a run in programs that draw random numbers or look at the clock.
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
