"""Which problems samples answer: a benchmark that their task or ids name, the user's file, or an inner task.

>>> ProblemSets(None).of_samples("demo_passk", "").find("Demo/1").task_id
'Demo/1'
>>> ProblemSets(None).of_samples("gsm8k", "") is None
True
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from hm_tasks.benchmark_file import DatasetError
from hm_tasks.code_passk.benchmarks import BENCHMARKS, FOLDER, source_of
from hm_tasks.code_passk.dataset import load_problems
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.inner_tasks import InnerTasks
from hm_tasks.sandbox.problem import Problem
from hm_tasks.traces.problem_file import load_problem_file

# What the names of a benchmark's tasks begin with, here and in the harness, and its problems' ids.
TASKS = {"mbppplus": "mbpp", "mbpp_plus": "mbpp", "humaneval": "humaneval", "demo_": "demo"}
IDS = {"Mbpp/": "mbpp", "HumanEval/": "humaneval", "Demo/": "demo"}


@dataclasses.dataclass(frozen=True)
class ProblemSet:
    """Problems by id.

    Attributes:
        name: of a benchmark, or of a user's file without its folder.
        sha256: of the file that they are from.
        bad: a sentence on each line of a user's file that is no problem.
    """

    name: str
    sha256: str
    problems: dict[str, Problem]
    bad: tuple[str, ...] = ()

    def find(self, problem: Any) -> Problem | None:
        """By its id; a number alone is that of MBPP's problem, as the harness's own tasks have it."""
        prefix = next((prefix for prefix, name in IDS.items() if name == self.name), "")
        return self.problems.get(str(problem)) or self.problems.get(f"{prefix}{problem}")


class ProblemSets:
    """The sets of a run, each loaded when it is first asked for.

    Args:
        named: a benchmark or a file that all programs answer; None leaves it to them.
        inner: the inner tasks whose questions answers are to.

    Raises:
        CurationError: the file cannot be used, here or when a benchmark is asked for.
    """

    def __init__(self, named: str | None, inner: InnerTasks | None = None) -> None:
        self.inner = inner or InnerTasks()
        self._load = functools.cache(load_set)
        self.named = self._load(named) if named else None

    def of_samples(self, task: str, problem: str) -> ProblemSet | None:
        """Of a task's samples, or, without a task, of those to a problem of this id; None for unknown ones."""
        if self.named:
            return self.named
        name, sets = (task, TASKS) if task else (problem, IDS)
        found = next((of for start, of in sets.items() if name.startswith(start)), None)
        return self._load(found) if found else None

    def of_record(self, record: Candidate) -> Problem:
        """The problem of a record that an earlier step wrote.

        Raises:
            CurationError: it answers another set than the one at hand.
        """
        name, sha256 = record.provenance["problems"], record.provenance["dataset"]
        found = self.named or (self._load(name) if name in BENCHMARKS else None)
        if found is None or found.sha256 != sha256:
            raise CurationError(
                f"The samples answer the problems of {name} with the SHA-256 {sha256}, and "
                f"{f'those of {found.name} have another' if found else 'they are not at hand'}. "
                "Name that file with --problems."
            )
        return found.problems[record.problem]


def load_set(name: str) -> ProblemSet:
    """A benchmark by its name, or a user's file.

    Raises:
        CurationError: it is not to be had, or no line of it is a problem.
    """
    bad: list[str] = []
    try:
        if name in BENCHMARKS:
            problems, _ = load_problems(source_of(name), FOLDER)
        else:
            problems = load_problem_file(name, bad)
    except (DatasetError, OSError) as error:
        raise CurationError(str(error)) from None
    shown = name if name in BENCHMARKS else Path(name).name
    known = {problem.task_id: problem for problem in problems}
    return ProblemSet(shown, problems[0].dataset, known, tuple(bad))
