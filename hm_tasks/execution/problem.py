"""What a program is checked against, and what the check says: the data of this package."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

PASS, FAIL, TIMEOUT, UNSCORED = "pass", "fail", "timeout", "unscored"
KINDS = ("base_input", "plus_input")  # of tests, by the field of Problem with their inputs


@dataclasses.dataclass(frozen=True)
class Problem:
    """One problem, with its inputs as Python values, and what says which outputs are right.

    `oracle` names whose special rules apply (`hm_tasks.execution.oracle`), `dataset` is the hash of
    the file that it is from.

    `entry_point` is the function that is called with each input's arguments. Where it is empty, a
    program is run as a whole, with the only argument of each input as its standard input and what it
    prints as its output (`hm_tasks.execution.whole_program`).

    The right outputs are those of `canonical_solution`, or, where the problem's file states them,
    `expected`: by kind of tests, one for each input. `time_limit` is the least number of seconds that a
    test may compute, for problems without a reference solution whose time would say it.
    `common_imports`: whether programs find the names of `hm_tasks.execution.common_imports`.
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
    expected: Mapping[str, list[Any]] | None = None
    time_limit: float = 0.0
    common_imports: bool = False


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
