"""Inspect: an evaluation log for each row and task, in the JSON form that `inspect view` opens.

    inspect view --log-dir OUT/inspect

Source: https://inspect.aisi.org.uk/eval-logs.html, version 2 of the format, which its `read_eval_log` reads.
Written without the library, which brings some thirty packages. Each sample of a question is an epoch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from hm_metrics.definitions import AT_K
from hm_metrics.graded import Graded
from hm_metrics.judged_definitions import FULFILLMENT
from hm_metrics.logs.labelled import of_log
from hm_metrics.logs.samples import Logged
from hm_metrics.logs.task_log import ANSWERS, CODE, REFUSALS, Log
from hm_metrics.report.browser import WITHHELD
from hm_metrics.report.export.identity import arguments_of, identify, shown, slug
from hm_metrics.report.rows import Row
from hm_metrics.verdict import UNSCORED, Verdict

VERSION = 2
CORRECT, INCORRECT = "C", "I"  # as its scorers write them
TESTS = "tests"


def logs(
    rows: Sequence[Row], developer: str, with_requests: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """File name and content of each log."""
    for row in rows:
        for task in row.point.runs:
            if task in row.values:
                name = identify(row, developer).id
                log = _log(row, task, name, with_requests)
                when = log["eval"]["created"].replace(":", "-")
                named = slug(task).replace("_", "-")  # its reader splits the name at underscores
                yield f"{when}_{named}_{log['eval']['eval_id']}.json", log


def _log(row: Row, task: str, model: str, with_requests: bool) -> dict[str, Any]:
    run, log, told = row.point.runs[task], row.logs.get(task), row.point.model
    when = datetime.fromtimestamp(run.date, timezone.utc).isoformat(timespec="seconds")
    key = hashlib.sha256(f"{row.point.id}\0{told.identity}\0{task}".encode()).hexdigest()[:22]
    merge = {"base": shown(told.base), "instruct": shown(told.instruct), "alpha": told.alpha}
    arguments = (merge | {"merge_method": told.method}) if told.base else {}
    samples = list(_samples(log, model, with_requests)) if log else []
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "eval_id": key,
            "run_id": key,
            "created": when,
            "task": task,
            "task_id": key,
            "task_version": str(run.facts["task version"]),
            "dataset": {
                "name": task,
                "samples": len(log.questions) if log else run.facts["questions"],
                "sample_ids": log.questions if log else None,
            },
            "model": model,
            "model_args": arguments_of(told) | arguments,
            "model_generate_config": {"temperature": run.temperature},
            "config": {"epochs": log.n_samples if log and log.n_samples else 1},
            "packages": {name: str(version) for name, version in run.versions.items() if version},
            "metadata": {"row": row.point.id, "warnings": row.warnings, **row.facts.get(task, {})},
        },
        "plan": {"name": "plan", "steps": []},
        "results": {
            "total_samples": len(samples),
            "completed_samples": len(samples),
            "scores": [_score(row, task)],
        },
        "stats": {"started_at": when, "completed_at": when},
        "samples": samples,
    }


def _score(row: Row, task: str) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for name, value in row.values[task].items():
        if not math.isnan(value.value):
            metrics[name] = {"name": name, "value": value.value}
            if not math.isnan(value.error):
                metrics[f"{name}_stderr"] = {"name": f"{name}_stderr", "value": value.error}
    log = row.logs.get(task)
    kind = {CODE: TESTS, REFUSALS: FULFILLMENT}.get(log.kind if log else "", task)
    return {"name": kind, "scorer": kind, "metrics": metrics}


def _samples(log: Log, model: str, with_requests: bool) -> Iterator[dict[str, Any]]:
    for line in log.lines():
        if log.kind == REFUSALS:
            yield from _judged(line, model, with_requests)
        elif not line.several:
            found = zip(line.texts, _found(log, line), strict=True)
            for number, (text, told) in enumerate(found, 1):
                yield _sample(line.question, number, line.prompt, text, model) | told


def _found(log: Log, line: Logged) -> list[dict[str, Any]]:
    """What was found of each sample."""
    if log.kind == CODE:
        return list(map(_tested, line.verdicts))
    if log.kind == ANSWERS:
        return list(map(_graded, line.grades))
    noted = {name: {"value": value} for name, value in line.numbers.items()}
    return [{"scores": noted}] * len(line.texts)


def _tested(verdict: Verdict) -> dict[str, Any]:
    metadata = {"base_status": verdict.base_status, "extra_status": verdict.plus_status}
    if UNSCORED in (verdict.base_status, verdict.plus_status):
        return {"scores": {}, "metadata": metadata | {"unscored": verdict.reason}}
    score = {
        "value": CORRECT if AT_K["pass"].is_correct(verdict) else INCORRECT,
        "answer": verdict.program,
        "explanation": verdict.reason,
    }
    return {"scores": {TESTS: score}, "metadata": metadata}


def _graded(grade: Graded) -> dict[str, Any]:
    """By the headline's filter, each metric a score; without one where grading broke down."""
    told = {"answer": grade.answer, "explanation": grade.reason}
    scores = {metric: {"value": score} | told for metric, score in grade.scores.items()}
    unscored = {"unscored": grade.reason} if grade.status == UNSCORED else {}
    return {"scores": scores, "metadata": {"status": grade.status} | unscored}


def _judged(line: Logged, model: str, with_requests: bool) -> Iterator[dict[str, Any]]:
    for number, answer in enumerate(of_log(line), 1):
        request, said = (
            (answer.request or "", answer.answer or "") if with_requests else (WITHHELD,) * 2
        )
        sample = _sample(line.question, number, request, said, model)
        sample["metadata"] = {"category": answer.category, "prompt_style": answer.style}
        if answer.score is None:
            sample["metadata"]["unscored"] = answer.judgment.unscored if answer.judgment else ""
        yield sample | {
            "scores": {} if answer.score is None else {FULFILLMENT: {"value": answer.score}}
        }


def _sample(question: str, number: int, prompt: str, text: str, model: str) -> dict[str, Any]:
    asked = {"role": "user", "content": prompt}
    said = {"role": "assistant", "content": text, "source": "generate", "model": model}
    return {
        "id": question,
        "epoch": number,
        "input": asked["content"],
        "target": "",
        "messages": [asked, said],
        "output": {
            "model": model,
            "choices": [{"message": said, "stop_reason": "stop"}],
            "completion": said["content"],
        },
    }
