"""What is in folders of results: one TaskRun for each task of each `results_*.json`.

Written by the harness, with this plugin's models or any other, with or without --log_samples.

    found = find_runs([Path("OUT")])

A folder may hold several runs of one task (it was evaluated again): the latest counts, the others are
named in `passed_over`. What cannot be read is named in `problems`, and loses nothing else.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hm_tasks.report.models import Model, model_of


@dataclasses.dataclass(frozen=True)
class TaskRun:
    """One task of one results file.

    Attributes:
        task: its name.
        model: what was evaluated.
        file: the results file.
        samples: its log of samples; None without one.
        values: metric and filter, as `pass@1,scored`, to value and standard error; what is no number
            (`unscored`) is None.
        higher_is_better: by metric.
        config: the task's, with its metadata.
        run: the run's `config`: model arguments, prompt style, limit, versions.
        facts: what else the file says of the run: few-shot number, chat template, number of questions.
        date: when, in seconds.
    """

    task: str
    model: Model
    file: Path
    samples: Path | None
    values: dict[str, tuple[float | None, float | None]]
    higher_is_better: dict[str, bool]
    config: dict[str, Any]
    run: dict[str, Any]
    facts: dict[str, Any]
    date: float

    @property
    def metadata(self) -> dict[str, Any]:
        """The task's settings and what it noted."""
        found = self.config.get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def temperature(self) -> float | None:
        """Of sampling, 0 for greedy decoding; None for a task that generates nothing."""
        if self.config.get("output_type", "generate_until") != "generate_until":
            return None
        asked = self.config.get("generation_kwargs") or {}
        if not asked.get("do_sample", "temperature" in asked):
            return 0.0
        value = asked.get("temperature", 1.0)
        return float(value) if isinstance(value, (int, float)) else None


@dataclasses.dataclass(frozen=True)
class Found:
    """Runs, and sentences on what was left out.

    Attributes:
        runs: those that count, in the order of the paths and their folders.
        passed_over: older runs of the same.
        problems: what was given and could not be used.
    """

    runs: list[TaskRun]
    passed_over: list[str]
    problems: list[str]


class ResultsError(ValueError):
    """A file that is no results file."""


def find_runs(paths: Sequence[Path]) -> Found:
    """The runs in folders (with all below them) and results files."""
    runs: dict[Path, list[TaskRun]] = {}
    problems: list[str] = []
    for path in paths:
        try:
            files = _files(path)
        except ResultsError as error:
            problems.append(str(error))
            continue
        for file in files:
            if file not in runs:
                try:
                    runs[file] = read_results(file)
                except ResultsError as error:
                    runs[file] = []
                    problems.append(str(error))
    every = [run for found in runs.values() for run in found]
    latest: dict[tuple, TaskRun] = {}
    for run in sorted(every, key=lambda run: (run.date, run.file.name)):
        latest[_same(run)] = run
    passed_over = [
        f"{run.file}: its {run.task} was passed over, for {latest[_same(run)].file.name} is later."
        for run in every
        if latest[_same(run)] is not run
    ]
    kept = [run for run in every if latest[_same(run)] is run]
    problems += [
        f"{run.file}: there is no samples_{run.task}_*.jsonl of this run beside it, so that its "
        "numbers have no paired comparison and its samples cannot be shown. Run with --log_samples."
        for run in kept
        if run.samples is None
    ]
    return Found(kept, passed_over, problems)


def read_results(file: Path) -> list[TaskRun]:
    """The tasks of one results file.

    Raises:
        ResultsError: it cannot be read, or is none.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        configs, results = data["configs"], data["results"]
        run = data.get("config") or {}
        model = model_of(data)
        return [_task_run(task, file, data, model, run) for task in configs if task in results]
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"{file} cannot be read: {error}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(
            f"{file} is not a results file of the harness ({type(error).__name__}: {error}). "
            "If the run was cut off, run it again; its kept samples are used."
        ) from None


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        if files := sorted(path.rglob("results_*.json")):
            return [file.resolve() for file in files]
        raise ResultsError(
            f"{path} holds no results_*.json. Name a folder that --output_path of lm_eval wrote to."
        )
    if path.is_file() and path.suffix == ".json":
        return [path.resolve()]
    if path.exists():
        raise ResultsError(f"{path} is not a results_*.json; name that file, or its folder.")
    raise ResultsError(f"{path} does not exist.")


def _same(run: TaskRun) -> tuple:
    """What a later run in the same folder replaces."""
    return run.file.parent, run.task, run.model, run.temperature


def _task_run(
    task: str, file: Path, data: dict[str, Any], model: Model, run: dict[str, Any]
) -> TaskRun:
    stamp = file.stem.removeprefix("results_")
    samples = file.with_name(f"samples_{task}_{stamp}.jsonl")
    counted = (data.get("n-samples") or {}).get(task) or {}
    return TaskRun(
        task=task,
        model=model,
        file=file,
        samples=samples if samples.is_file() else None,
        values=_values(data["results"][task]),
        higher_is_better=(data.get("higher_is_better") or {}).get(task) or {},
        config=data["configs"][task],
        run=run,
        facts={
            "few-shot": (data.get("n-shot") or {}).get(task),
            "task version": (data.get("versions") or {}).get(task),
            "chat template": data.get("chat_template_sha"),
            "system prompt": data.get("system_instruction_sha"),
            "questions": counted.get("effective"),
        },
        date=float(data.get("date") or 0.0),
    )


def _values(results: dict[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    values = {}
    for key, value in results.items():
        metric, comma, kind = key.partition(",")
        if comma and not metric.endswith("_stderr"):
            values[key] = (_number(value), _number(results.get(f"{metric}_stderr,{kind}")))
    return values


def _number(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if known else None
