"""Programs in the formats that scorers exchange: the harness's logs, and evalplus's file and folder.

    samples_TASK_*.jsonl            one problem a line, as the harness logs a task of this project, or
                                    its own humaneval, humaneval_plus, mbpp, mbpp_plus, _instruct
    samples.jsonl                   one program a line: task_id, and solution or completion
    FOLDER/Mbpp_2/0.py              one program a file

Files of lines may be packed by gzip. Source of the last two: evalplus 0.3.1, data/utils.py
(`load_solutions`) and evaluate.py; of the harness's own tasks: lm_eval 0.4.13, tasks/humaneval and
tasks/mbpp, whose filters make of a text the program that is run there.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hm_metrics.logs.samples import Logged, of_evalplus
from hm_metrics.verdict import UNSCORED, Verdict
from hm_models.errors import UsageError
from hm_models.files.text_files import MALFORMED, TextFileError, json_lines, read_text, write_text
from hm_tasks.sandbox.problem import Problem

# The harness's mbpp tasks number their problems.
NUMBERED = "Mbpp/"
EXPECTED = "Expected task_id and solution or completion, or doc and filtered_resps."


class SolutionsError(UsageError, ValueError):
    """Samples that cannot be read; the message names the file and what was expected."""


def read_solutions(
    path: Path, problems: Mapping[str, Problem], bad: list[str] | None = None
) -> dict[str, list[str]]:
    """Return the programs of each problem, in order.

    Args:
        bad: gets a sentence for each line, file or problem that cannot be used, which is left out then.

    Raises:
        SolutionsError: no such file, another format, or problems that the data set does not have; with
            `bad` only where nothing is left.
    """
    left_out: list[str] = []
    if path.is_dir():
        found = _from_folder(path, left_out)
    elif path.is_file():
        found = _from_lines(path, problems, left_out)
    else:
        raise SolutionsError(f"{path} is neither a file nor a folder. Give samples_*.jsonl.")
    if unknown := sorted(found.keys() - problems.keys()):
        left_out.append(
            f"{path} has {len(unknown)} problems that the data set lacks, first {unknown[0]}. Name the "
            "data set that it was made for with --dataset."
        )
        found = {task_id: programs for task_id, programs in found.items() if task_id in problems}
    if left_out and (bad is None or not found):
        raise SolutionsError(left_out[0])
    if not found:
        raise SolutionsError(f"{path} holds no programs.")
    if bad is not None:
        bad += left_out
    return found


def _from_folder(folder: Path, bad: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(problem.glob("*.py"), key=lambda file: (len(file.stem), file.stem))
        for file in files:
            try:
                program = _program(file)
            except (SolutionsError, TextFileError, OSError) as error:
                bad.append(str(error))
                continue
            found.setdefault(problem.name.replace("_", "/"), []).append(program)
    return found


def _program(file: Path) -> str:
    # What a link leads to would stand in the results, and a pipe would never end.
    if file.is_symlink() or file.parent.is_symlink() or not file.is_file():
        raise SolutionsError(f"{file} is a symbolic link or no plain file; a program is a file.")
    return read_text(file)


def _from_lines(
    file: Path, problems: Mapping[str, Problem], bad: list[str]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    kinds: set[str] = set()  # of filter: the first one's lines count, others have the same samples
    try:
        for line in json_lines(file, bad):
            try:
                kind = Logged(line.value).filter
                task_id, programs = _read_line(line.value, problems)
            except MALFORMED as error:
                bad.append(
                    f"{file}, line {line.number}: neither a sample of the harness's log nor one of "
                    f"evalplus's ({type(error).__name__}: {str(error)[:200]}). {EXPECTED}"
                )
                continue
            kinds = kinds or {kind}
            if kind in kinds:
                found.setdefault(task_id, []).extend(programs)
    except (TextFileError, OSError) as error:
        bad.append(str(error))
    if bad and not found:
        bad[0] = f"{bad[0].removesuffix(EXPECTED).rstrip()} {EXPECTED}"
    return found


def _read_line(record: Any, problems: Mapping[str, Problem]) -> tuple[str, list[str]]:
    if "filtered_resps" in record:
        return _task_id(record["doc"]["task_id"]), _logged(Logged(record))
    named, text, is_completion = of_evalplus(record)
    task_id = _task_id(named)
    # Of an unknown problem the prompt is not needed: it is refused by its name.
    prompt = problems[task_id].prompt if is_completion and task_id in problems else ""
    return task_id, [prompt + _text(text)]


def _task_id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{NUMBERED}{value}"
    if not isinstance(value, str):
        raise TypeError(f"a task_id must be text, not {type(value).__name__}")
    return value


def _logged(line: Logged) -> list[str]:
    """The programs of a log's line: those of our verdicts, else what the harness ran."""
    if line.verdicts:
        if any(v.base_status == UNSCORED and not v.program for v in line.verdicts):
            # Read as an empty program it would count as wrong, which nobody has found out.
            raise ValueError("a sample of this problem was unscored, and its program is not known")
        return [verdict.program for verdict in line.verdicts]
    found, texts = line.made, line.samples
    if isinstance(found, str):  # the first of the samples, as mbpp and mbpp_plus keep it
        found = texts if texts and texts[0] == found else [found]
    if not isinstance(found, list) or not found:
        raise TypeError(f"filtered_resps must hold texts, not {type(found).__name__}")
    return [_text(text) for text in found]


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
    write_text(file, "\n".join(lines) + "\n")


def write_results(
    verdicts: Mapping[str, Sequence[Verdict]],
    dataset_hash: str,
    file: Path,
    left_out: Sequence[str] = (),
    of_problems: int | None = None,
) -> None:
    """Write verdicts as evalplus's `_eval_results.json`, which it and its tools read again.

    evalplus lists the inputs that failed; the verdict's reason says which one it was. Ours beside its
    fields: `problems`, how many there are and of how many, and `left_out`, sentences.
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
    content = {
        "date": date,
        "hash": dataset_hash,
        "problems": {"scored": len(scored), "of": of_problems or len(scored)},
        "left_out": list(left_out),
        "eval": scored,
    }
    write_text(file, json.dumps(content))
