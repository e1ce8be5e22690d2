"""A user's own problems: one JSON record a line, with tests of a function or of a whole program.

    >>> import tempfile
    >>> from hm_models.files.text_files import write_text
    >>> file = Path(tempfile.mkdtemp()) / "problems.jsonl"
    >>> record = '{"prompt": "Add.", "entry_point": "add", "tests": ["assert add(1, 2) == 3"]}'
    >>> write_text(file, record + '\\n{"prompt": "No tests."}\\n')
    >>> problems = load_problem_file(file, bad := [])      # leaves out what is no problem
    >>> problems[0].task_id, problems[0].base_input, len(bad)
    ('problem/1', [[1, 2]], 1)

docs/traces.md has the fields. Right outputs are stated by the file and stay outside the process that
runs programs, as those of benchmarks do.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from hm_models.files.text_files import TextFileError, json_lines, open_bytes
from hm_tasks.benchmark_file import DatasetError
from hm_tasks.code_passk.dataset import problem_of, released_oracle
from hm_tasks.sandbox.problem import Problem
from hm_tasks.traces.given_tests import BadProblem, tests_of

# Without a reference solution nothing says how long a test may take; APPS's evaluation gives this much.
DEFAULT_SECONDS = 4.0
_SECONDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:s|seconds?)?\s*")
_PIECE_BYTES = 1 << 20


def load_problem_file(path: str | Path, bad: list[str] | None = None) -> list[Problem]:
    """The problems of a .jsonl or .jsonl.gz, in order; each `.dataset` is the file's SHA-256.

    Args:
        bad: takes a sentence for each line that is no problem, which is then left out.

    Raises:
        DatasetError: no such file, no problems in it, or, without `bad`, a line that is none.
    """
    path = Path(path).expanduser()
    problems: dict[str, Problem] = {}
    try:
        with open_bytes(path) as file:
            hashed = hashlib.sha256()
            while piece := file.read(_PIECE_BYTES):
                hashed.update(piece)
        digest = hashed.hexdigest()
        oracle = released_oracle(digest)
        for line in json_lines(path, bad):
            where = f"{path}, line {line.number}"
            try:
                problem = _problem(line.value, line.number, where, oracle, digest)
                if problem.task_id in problems:
                    raise DatasetError(
                        f"{where}: the task_id {problem.task_id!r} is that of an earlier line. "
                        "Give each problem its own."
                    )
            except DatasetError as error:
                if bad is None:
                    raise
                bad.append(str(error))
            else:
                problems[problem.task_id] = problem
    except TextFileError as error:
        raise DatasetError(str(error)) from None
    except (OSError, EOFError) as error:
        raise DatasetError(
            f"{path} cannot be read as a file of problems: {error}. Name a .jsonl or .jsonl.gz."
        ) from None
    if not problems:
        reason = f": {bad[0]}" if bad else "."
        raise DatasetError(f"{path} holds no problems{reason}")
    return list(problems.values())


def _problem(record: Any, number: int, where: str, oracle: str, digest: str) -> Problem:
    if not isinstance(record, dict):
        raise DatasetError(f"{where}: no record. Write one {{...}} a line.")
    try:
        if "base_input" in record:
            if chosen := [field for field in ("compare", "imports") if field in record]:
                raise BadProblem(
                    f"field `{chosen[0]}` is for tests that the file states; problems in evalplus's "
                    "form are compared by evalplus's rules. Leave it out."
                )
            return problem_of(record, where, oracle, digest)
        return _stated(record, number, digest)
    except BadProblem as error:
        raise DatasetError(f"{where}: {error}") from None


def _stated(record: dict[str, Any], number: int, digest: str) -> Problem:
    prompt = record.get("prompt") or record.get("question")
    if not isinstance(prompt, str) or not prompt.strip():
        raise BadProblem("field `prompt` is missing. Give the problem's text there.")
    task_id = record.get("task_id", record.get("problem_id", f"problem/{number}"))
    if isinstance(task_id, bool) or not isinstance(task_id, (str, int)):
        raise BadProblem(f"field `task_id` is {task_id!r}. Give text or a whole number.")
    tests = tests_of(record)
    return Problem(
        task_id=str(task_id),
        prompt=prompt,
        entry_point=tests.entry_point,
        canonical_solution="",
        base_input=tests.inputs,
        plus_input=[],
        atol=_number(record, "atol", 0.0),
        oracle=tests.oracle,
        dataset=digest,
        expected={"base_input": tests.outputs, "plus_input": []},
        time_limit=_number(record, "time_limit", DEFAULT_SECONDS),
        common_imports=tests.common_imports,
    )


def _number(record: dict[str, Any], field: str, default: float) -> float:
    """A number, not below 0; TACO writes seconds as text."""
    value = record.get(field)
    if value is None:
        return default
    if isinstance(value, str) and (found := _SECONDS.fullmatch(value)):
        return float(found[1])
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise BadProblem(f"field `{field}` is {value!r}. Give a number, or leave it out.")
    return float(value)
