"""What is in folders of results: one TaskRun for each task of each `results_*.json`.

Written by the harness, with this plugin's models or any other, with or without --log_samples.

    found = find_runs([Path("OUT")])

A folder may hold several runs of one task (it was evaluated again): the latest counts, the others are
named in `passed_over`. What cannot be read is named in `problems`, and loses nothing else.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hm_metrics.logs.models import Model, model_of
from hm_metrics.logs.results_file import (
    Results,
    ResultsError,
    log_beside,
    mapping,
    no_results,
    open_results,
    results_in,
    what,
)
from hm_models.files.text_files import MALFORMED
from hm_models.samples.sampler import TEMPERATURE, VERBALIZED, Sampler
from hm_models.shown.escaping import one_line


@dataclasses.dataclass(frozen=True)
class Headline:
    """The filter and the metric of a wrapped task whose numbers have bare names, as `pass@1`."""

    filter: str
    metric: str


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
        facts: what else the file says of the run: few-shot number, chat template, number of questions
            and of how many.
        date: when, in seconds.
        sampler: what it was sampled by; None for a task that generates nothing.
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
    sampler: Sampler | None

    @property
    def temperature(self) -> float | None:
        """Of sampling, 0 for greedy decoding; None where nothing is generated."""
        return self.sampler.get(TEMPERATURE) if self.sampler else None

    @property
    def metadata(self) -> dict[str, Any]:
        """The task's settings and what it noted."""
        return _mapping(self.config.get("metadata"))

    def noted(self, part: str) -> dict[str, Any]:
        """What the metadata has under this name, as `judging`; {} where that is no mapping."""
        return _mapping(self.metadata.get(part))

    @property
    def versions(self) -> dict[str, Any]:
        """Of packages, as the run notes them."""
        return _mapping(self.run.get("versions"))

    @property
    def headline(self) -> Headline | None:
        """Which numbers of a task that wraps another have bare names; None for other tasks."""
        found = self.noted("headline")
        of_filter, metric = found.get("filter"), found.get("metric")
        if not (isinstance(of_filter, str) and isinstance(metric, str)):
            return None
        return Headline(of_filter, metric)

    @property
    def dataset_path(self) -> str:
        """Where the harness has its data from, of a wrapped task that task's; empty where it is not said."""
        wrapped = self.noted("inner").get("dataset_path")
        return str(self.config.get("dataset_path") or wrapped or "")

    def name_of(self, key: str) -> str:
        """What a number is called in reports: its metric, with its filter where several have it."""
        metric, _, kind = key.partition(",")
        if self.headline:
            return metric if kind == self.headline.filter else key
        alike = [other for other in self.values if other.partition(",")[0] == metric]
        return metric if len(alike) == 1 else key


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


def find_runs(paths: Sequence[Path]) -> Found:
    """The runs in folders (with all below them) and results files."""
    runs: dict[Path, list[TaskRun]] = {}
    problems: list[str] = []
    for path in paths:
        try:
            files = results_in(path, problems)
        except ResultsError as error:
            problems.append(str(error))
            continue
        for file in files:
            if file not in runs:
                try:
                    runs[file] = read_results(file, problems)
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


def read_results(file: Path, bad: list[str]) -> list[TaskRun]:
    """The tasks of one results file.

    Args:
        bad: gets a sentence for each task and number that cannot be used, which is left out then.

    Raises:
        ResultsError: it cannot be read, or is none.
    """
    found = open_results(file)
    try:
        model = model_of(found.data, file)
        tasks = [task for task in found.configs if task in found.values]
        if not tasks:
            raise ValueError("it has no task with results")
    except MALFORMED as error:
        raise no_results(file, error) from None
    runs = []
    for task in tasks:
        try:
            runs.append(_task_run(task, file, found, model, bad))
        except MALFORMED as error:
            bad.append(f"{file}: its {one_line(task)} cannot be used ({what(error)}).")
    return runs


def _same(run: TaskRun) -> tuple:
    """What a later run in the same folder replaces."""
    return run.file.parent, run.task, run.model, run.sampler


def _task_run(task: str, file: Path, results: Results, model: Model, bad: list[str]) -> TaskRun:
    data, config = results.data, mapping(results.configs, task)
    counted = mapping(mapping(data, "n-samples"), task)
    better = mapping(mapping(data, "higher_is_better"), task)
    if wrong := [metric for metric, value in better.items() if value not in (None, True, False)]:
        raise TypeError(f"higher_is_better of {wrong[0]} is neither true nor false")
    for part in ("metadata", "generation_kwargs"):  # whoever asks finds mappings
        mapping(config, part)
    return TaskRun(
        task=task,
        model=model,
        file=file,
        samples=log_beside(file, task),
        values=dict(_values(mapping(results.values, task), f"{file}: its {one_line(task)}", bad)),
        higher_is_better={metric: value for metric, value in better.items() if value is not None},
        config=config,
        run=results.run,
        facts={
            "few-shot": mapping(data, "n-shot").get(task),
            "task version": mapping(data, "versions").get(task),
            "chat template": data.get("chat_template_sha"),
            "system prompt": data.get("system_instruction_sha"),
            "questions": _whole(counted, "effective"),
            "of questions": _whole(counted, "original"),
        },
        date=_finite(data.get("date") or 0.0, "date"),
        sampler=_sampler(config),
    )


def _sampler(config: dict[str, Any]) -> Sampler | None:
    if config.get("output_type", "generate_until") != "generate_until":
        return None
    asked = config.get("generation_kwargs") or {}
    if asked.get(TEMPERATURE) is not None:
        _finite(asked[TEMPERATURE], TEMPERATURE)
    # Of our tasks: one that makes several samples.
    call = _mapping((config.get("metadata") or {}).get("call"))
    if _number(call.get(VERBALIZED)):
        asked = {**asked, VERBALIZED: call[VERBALIZED]}
    return Sampler.logged(asked)


def _values(
    results: dict[str, Any], whose: str, bad: list[str]
) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    for key, value in results.items():
        metric, comma, kind = key.partition(",")
        if comma and not metric.endswith("_stderr"):
            try:
                error = results.get(f"{metric}_stderr,{kind}")
                yield key, (_number(value), _number(error))
            except MALFORMED as wrong:
                bad.append(f"{whose} has no usable {one_line(key)} ({what(wrong)}).")


def _mapping(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _whole(record: dict[str, Any], key: str) -> int | None:
    value = record.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"the {key} number of questions is a {type(value).__name__}")
    return value


def _finite(value: Any, what: str) -> float:
    number = _number(value)
    if number is None or number < 0:
        raise TypeError(f"{what} is {one_line(str(value), 40)}, no number from 0 on")
    return number


def _number(value: Any) -> float | None:
    """A number as it is, None for words (`unscored`, `N/A`) and for nan.

    Raises:
        OverflowError, ValueError: a number that no float holds.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if math.isinf(number := float(value)):
        raise ValueError("it is infinite")
    return None if math.isnan(number) else number
