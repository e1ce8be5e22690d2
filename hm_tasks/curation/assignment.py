"""What a line's samples answer, as their records name it: a problem for programs, or a question of a task.

>>> asked = Assignment("sums/1", "What is 1 + 1?", "", {}, whole, NO_ANSWER)
>>> asked.read(LoggedSample("It is 2.")), asked.read(LoggedSample("  "))
(('', ''), None)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from hm_models.files.text_files import parse_json
from hm_tasks.sandbox.problem import Problem
from hm_tasks.traces.markers import BEGIN_SOLUTION
from hm_tasks.traces.program import program_of

NO_ANSWER = "answer without a word"
TRACES = "_traces"  # how names of tasks end whose answers are a thought and a program


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


def program_in(sample: LoggedSample, problem: Problem, task: str) -> tuple[str, str]:
    """The program of a sample, and the thought before it where it is a trace."""
    if sample.is_program:
        return sample.text, ""
    if sample.is_completion:  # evalplus: it goes on where the prompt ends
        return problem.prompt + sample.text, ""
    logged = sample.logged if isinstance(sample.logged, str) else ""
    is_trace = task.endswith(TRACES) or BEGIN_SOLUTION in sample.text
    program = _scored(logged)
    if program and not is_trace:
        # As this project extracted it: in a base model's log the prompt is a part of it.
        return program, ""
    found, thought = program_of(sample.text, problem.entry_point)
    if program == "" and task.endswith(TRACES):
        # The task knew more than the text: a draft of a thought that was cut off is no program.
        return "", thought
    if program is None and logged and f"def {problem.entry_point}" not in found:
        # A task of the harness whose filter puts the prompt before the completion.
        found = program_of(logged, problem.entry_point)[0] or found
    return program or found, thought if is_trace else ""


def _scored(logged: str) -> str | None:
    """The program in a verdict as this project logs it; None for what is none."""
    try:
        verdict = parse_json(logged)
    except ValueError:
        return None
    program = verdict.get("program") if isinstance(verdict, dict) else None
    return program if isinstance(program, str) else None
