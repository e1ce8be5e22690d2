"""Programs in the formats that scorers exchange: the harness's log, and evalplus's file and folder.

    samples_TASK_*.jsonl            one problem a line, as the harness logs a task of this project
    samples.jsonl                   one program a line: task_id, and solution or completion
    FOLDER/Mbpp_2/0.py              one program a file

Source of the last two: evalplus 0.3.1, data/utils.py (`load_solutions`) and evaluate.py.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hm_tasks.execution.problem import UNSCORED, Problem, Verdict


class SolutionsError(ValueError):
    """Samples that cannot be read; the message names the file and what was expected."""


def read_solutions(path: Path, problems: Mapping[str, Problem]) -> dict[str, list[str]]:
    """Return the programs of each problem, in order.

    Raises:
        SolutionsError: no such file, another format, or problems that the data set does not have.
    """
    if path.is_dir():
        found = _from_folder(path)
    elif path.is_file():
        found = _from_lines(path, problems)
    else:
        raise SolutionsError(f"{path} is neither a file nor a folder. Give samples_*.jsonl.")
    if unknown := sorted(found.keys() - problems.keys()):
        raise SolutionsError(
            f"{path} has {len(unknown)} problems that the data set lacks, first {unknown[0]}. Name the "
            "data set that it was made for with --dataset."
        )
    if not found:
        raise SolutionsError(f"{path} holds no programs.")
    return found


def _from_folder(folder: Path) -> dict[str, list[str]]:
    found = {}
    for problem in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(problem.glob("*.py"), key=lambda file: (len(file.stem), file.stem))
        if files:
            found[problem.name.replace("_", "/")] = [file.read_text() for file in files]
    return found


def _from_lines(file: Path, problems: Mapping[str, Problem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            task_id, programs = _read_line(json.loads(line), problems)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise SolutionsError(
                f"{file}, line {number}: neither a sample of the harness's log nor one of evalplus's "
                f"({type(error).__name__}: {error}). Expected task_id and solution or completion, or "
                "doc and filtered_resps."
            ) from None
        found.setdefault(task_id, []).extend(programs)
    return found


def _read_line(record: Any, problems: Mapping[str, Problem]) -> tuple[str, list[str]]:
    if "filtered_resps" in record:
        verdicts = [json.loads(text) for text in record["filtered_resps"][0]]
        if any(v["base_status"] == UNSCORED and not v["program"] for v in verdicts):
            # Read as an empty program it would count as wrong, which nobody has found out.
            raise ValueError("a sample of this problem was unscored, and its program is not known")
        return record["doc"]["task_id"], [verdict["program"] for verdict in verdicts]
    task_id = record["task_id"]
    if "solution" in record:
        return task_id, [_text(record["solution"])]
    # Of an unknown problem the prompt is not needed: it is refused by its name.
    prompt = problems[task_id].prompt if task_id in problems else ""
    return task_id, [prompt + _text(record["completion"])]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a program must be text, not {type(value).__name__}")
    return value


def write_solutions(solutions: Mapping[str, Sequence[str]], file: Path) -> None:
    """Write one program a line, as `evalplus.evaluate --samples` takes it."""
    lines = [
        json.dumps({"task_id": task_id, "solution": program})
        for task_id, programs in solutions.items()
        for program in programs
    ]
    _write(file, "\n".join(lines) + "\n")


def write_results(verdicts: Mapping[str, Sequence[Verdict]], dataset_hash: str, file: Path) -> None:
    """Write verdicts as evalplus's `_eval_results.json`, which it and its tools read again.

    evalplus lists the inputs that failed; the verdict's reason says which one it was.
    """
    scored = {
        task_id: [
            {
                "task_id": task_id,
                "solution": verdict.program,
                "base_status": verdict.base_status,
                "plus_status": verdict.plus_status,
                "base_fail_tests": [],
                "plus_fail_tests": [],
                "reason": verdict.reason,
            }
            for verdict in found
        ]
        for task_id, found in verdicts.items()
    }
    date = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    _write(file, json.dumps({"date": date, "hash": dataset_hash, "eval": scored}))


def _write(file: Path, content: str) -> None:
    draft = file.with_name(f".{file.name}.draft")
    draft.write_text(content)
    draft.replace(file)
