"""The harness's results_*.json as it was written, and the logs of samples beside it: their one reader.

>>> log = Path("OUT/MODEL/samples_gsm8k_cot_2026-01-01T00-00-00.5.jsonl.gz")
>>> results_beside(log).name, LOG.fullmatch(log.name)["task"]
('results_2026-01-01T00-00-00.5.json', 'gsm8k_cot')
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from hm_models.files.text_files import MALFORMED, TextFileError, is_own, read_json
from hm_models.shown.escaping import one_line

AGAIN = "If the run was cut off, run it again; its kept samples are used."
LOG = re.compile(r"samples_(?P<task>.+)_(?P<stamp>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl(\.gz)?")


class ResultsError(ValueError):
    """A file that is no results file."""


@dataclasses.dataclass(frozen=True)
class Results:
    """A results file as it was written.

    Attributes:
        data: all of it.
        run: its `config`: model arguments, prompt style, limit, versions.
        configs, values: of each task; its `results`.
    """

    data: dict[str, Any]
    run: dict[str, Any]
    configs: dict[str, Any]
    values: dict[str, Any]


def results_in(path: Path, problems: list[str]) -> list[Path]:
    """The results files of a folder, with all below it, or the one that is named.

    Args:
        problems: gets a sentence for each file that is left out.

    Raises:
        ResultsError: there are none.
    """
    if path.is_dir():
        files = sorted(path.rglob("results_*.json"))
        if not files:
            raise ResultsError(
                f"{path} holds no results_*.json. Name a folder that --output_path of lm_eval wrote to."
            )
        inside = [file for file in files if is_own(file, path)]
        problems += [
            f"{file} is no plain file of {path}, and is left out. Name it if you mean it."
            for file in files
            if file not in inside
        ]
        return [file.resolve() for file in inside]
    if path.is_file() and path.suffix == ".json":
        return [path.resolve()]
    if path.exists():
        raise ResultsError(f"{path} is not a results_*.json; name that file, or its folder.")
    raise ResultsError(f"{path} does not exist.")


def results_beside(log: Path) -> Path:
    """Where the results of a log's run are."""
    named = LOG.fullmatch(log.name)
    return log.with_name(f"results_{named['stamp'] if named else ''}.json")


def open_results(file: Path) -> Results:
    """What a results file holds.

    Raises:
        ResultsError: it cannot be read, or is none.
    """
    try:
        data = read_json(file)
        parts = (mapping(data, key) for key in ("config", "configs", "results"))
        return Results(data, *parts)
    except TextFileError as error:
        raise ResultsError(f"{error} {AGAIN}") from None
    except OSError as error:
        raise ResultsError(f"{file} cannot be read: {error}.") from None
    except MALFORMED as error:
        raise no_results(file, error) from None


def no_results(file: Path, error: Exception) -> ResultsError:
    """What is raised for a file that is JSON and none of the harness's."""
    return ResultsError(f"{file} is not a results file of the harness ({what(error)}). {AGAIN}")


def log_beside(results: Path, task: str) -> Path | None:
    """A task's log beside its results, plain or packed.

    Raises:
        ValueError: that is no task's name.
    """
    if one_line(task) != task or "/" in task:
        raise ValueError("no name of a task")
    stamp = results.stem.removeprefix("results_")
    for end in ("jsonl", "jsonl.gz"):
        log = results.with_name(f"samples_{task}_{stamp}.{end}")
        if is_own(log, results.parent):
            return log
    return None


def mapping(record: Any, key: str) -> dict[str, Any]:
    """A part of a record, {} where it is missing.

    Raises:
        TypeError: it is no mapping.
    """
    found = record.get(key)
    if found is not None and not isinstance(found, dict):
        raise TypeError(f"{one_line(key)} is a {type(found).__name__}, not a mapping")
    return found or {}


def what(error: Exception) -> str:
    """What is wrong, on one line."""
    return one_line(f"{type(error).__name__}: {error}")
