"""What a program is checked against: one problem of a benchmark."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

# Oracles of what a file states: for values, and for printed text (`hm_tasks.sandbox.judging.stated`).
JSON, APPS = "json", "apps"
STDOUT, TOKENS, APPS_TEXT = TEXTS = ("stdout", "stdout-tokens", "stdout-apps")
KINDS = ("base_input", "plus_input")  # of tests, by the field of Problem with their inputs


@dataclasses.dataclass(frozen=True)
class Problem:
    """One problem, with its inputs as Python values, and what says which outputs are right.

    `oracle` names whose special rules apply (`hm_tasks.sandbox.judging.oracle`), `dataset` is the hash of
    the file that it is from.

    `entry_point` is the function that is called with each input's arguments. Where it is empty, a
    program is run as a whole, with the only argument of each input as its standard input and what it
    prints as its output (`hm_tasks.sandbox.inside.whole_program`).

    The right outputs are those of `canonical_solution`, or, where the problem's file states them,
    `expected`: by kind of tests, one for each input. `time_limit` is the least number of seconds that a
    test may compute, for problems without a reference solution whose time would say it.
    `common_imports`: whether programs find the names of `hm_tasks.sandbox.inside.common_imports`.
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
