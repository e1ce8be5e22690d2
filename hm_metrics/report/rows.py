"""Rows: a point with every number that its results and its samples have.

    rows = make_rows(points, embedder=None)

Where there are samples, pass@k, the numbers of wrapped tasks and rates are computed from them; the results'
own values are compared.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from hm_metrics import definitions
from hm_metrics.aggregations import MAX_ITERATIONS
from hm_metrics.answer_names import DISTINCT, AnswerName
from hm_metrics.definitions import DEFINITIONS, GLOBAL, LOCAL, SCORED, at_k, is_count
from hm_metrics.diversity import global_over_questions, standard_error, value_of
from hm_metrics.estimates import estimate
from hm_metrics.fulfillment import bounds, rate, rate_error
from hm_metrics.judged_definitions import FULFILLMENT
from hm_metrics.logs.results import TaskRun
from hm_metrics.logs.samples import LogError
from hm_metrics.logs.task_log import ANSWERS, CODE, OTHER, REFUSALS, Log, read
from hm_metrics.report.points import ReportPoint
from hm_metrics.report.protocol import Facts, asked_amiss, facts_of, part_of
from hm_metrics.report.values import COSINES, Value, make_value, mean_value
from hm_metrics.report.vectors import (
    NONE,
    Embedded,
    as_stated,
    embed_run,
    wants_vectors,
)
from hm_metrics.unscored import in_place_of_rate
from hm_metrics.xstest import RATES
from hm_models.files.text_files import MALFORMED
from hm_models.shown.escaping import one_line
from hm_models.shown.screen import bar_settings

# Counts of the harness's results that are about the run, not about the model.
NOT_SHOWN = {"generated", "reused", "left_out_questions", "n_samples"}
EXTRAPOLATED = "extrapolated: its alpha lies outside [0, 1], beyond the two checkpoints."
# Between what results say and what samples give: rounding, and nothing else.
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Row:
    """One point, measured.

    Attributes:
        values: by task, then metric.
        logs, embedded, facts: by task; a task without samples has no log.
        warnings: what a reader should know before using its numbers.
    """

    point: ReportPoint
    values: dict[str, dict[str, Value]]
    logs: dict[str, Log]
    embedded: dict[str, Embedded]
    facts: dict[str, Facts]
    warnings: list[str]


@dataclasses.dataclass(frozen=True)
class Rows:
    """All rows, and sentences on what could not be read and on vectors that could not be had."""

    rows: list[Row]
    problems: list[str]
    unscored: list[str]


def make_rows(
    points: Sequence[ReportPoint],
    embedder: str | None = None,
    base_url: str | None = None,
    quiet: bool = False,
) -> Rows:
    """Read the logs of all points, one after another, and keep numbers only.

    Args:
        embedder: for all similarities; None: each run's own; `none`: no vectors.
        quiet: show no progress.
    """
    rows, problems = [], []
    unscored: dict[str, None] = {}
    steps = sum(len(point.runs) for point in points)
    # Libraries that embed show bars of their own, which know nothing of `quiet`.
    silence = contextlib.redirect_stderr(io.StringIO()) if quiet else contextlib.nullcontext()
    with silence, tqdm(total=steps, desc="Reading samples", **bar_settings(quiet)) as bar:
        for point in points:
            row = Row(point, {}, {}, {}, {}, [EXTRAPOLATED] if point.model.extrapolated else [])
            for task, run in point.runs.items():
                try:
                    _add(row, task, run, embedder, base_url, unscored)
                except LogError as error:
                    problems.append(str(error))
                    row.warnings.append(f"{task}: its samples could not be read.")
                    without = dataclasses.replace(run, samples=None)
                    _add(row, task, without, embedder, None, unscored)
                except MALFORMED as error:
                    problems.append(
                        f"{run.file}: its {task} cannot be used ({type(error).__name__}: {error})."
                    )
                    for part in (row.values, row.logs, row.embedded, row.facts):
                        part.pop(task, None)
                bar.update()
            if row.values:
                rows.append(row)
    return Rows(rows, problems, list(unscored))


def _add(
    row: Row,
    task: str,
    run: TaskRun,
    embedder: str | None,
    base_url: str | None,
    unscored: dict[str, None],
) -> None:
    log = read(run) if run.samples else None
    embedding = None
    if log:
        row.logs[task] = log
        if wants_vectors(run, log):
            found = embed_run(run, log, embedder, base_url)
            if isinstance(found, Embedded):
                row.embedded[task] = found
                embedding = found.how
            else:
                unscored[found] = None
                embedding = None if embedder in (None, NONE) else embedder
    embedding = embedding or as_stated(run)
    row.facts[task] = facts_of(run, log, embedding)
    row.values[task] = _values(row, task, run, log, embedder)
    row.warnings.extend(f"{task}: {text}" for text in _warnings(run, log, row.values[task]))


def _values(
    row: Row, task: str, run: TaskRun, log: Log | None, embedder: str | None
) -> dict[str, Value]:
    values = {}
    for key, (value, error) in run.values.items():
        metric, name = key.partition(",")[0], run.name_of(key)
        if metric in NOT_SHOWN:
            continue
        better = run.higher_is_better.get(metric)
        if counted := is_count(metric):
            better = None
        each = log.values.get(name) if log and not counted else None
        questions = len(log.questions) if log else run.facts["questions"]
        values[name] = make_value(value, error, questions, each, better, _bounds(name, each, log))
        if each is not None and math.isclose(estimate(each), values[name].value, abs_tol=TOLERANCE):
            values[name] = mean_value(each, better, _bounds(name, each, log))
    for name, each in log.computed.items() if log else ():
        known = definitions.of(name)
        better = values[name].higher_is_better if name in values else None
        better = known.higher_is_better if known and better is None else better
        values[name] = mean_value(each, better, _bounds(name, each, log))
    if _why_no_value(run, log):
        values |= {
            name: make_value(None, None, value.questions, None, value.higher_is_better)
            for name, value in values.items()
            if _needs_verdicts(name)
        }
    if log and log.kind == REFUSALS:
        tallies = [tally for _, tally in log.tallies]
        each = log.values.get(FULFILLMENT, np.full(len(tallies), np.nan))
        values[FULFILLMENT] = make_value(rate(tallies), rate_error(tallies), None, each, False)
        if len({tally.scored for tally in tallies} - {0}) == 1:  # then it is a mean over prompts
            values[FULFILLMENT] = mean_value(each, False)
        low, high = bounds(tallies)
        values[f"{FULFILLMENT}_low"] = make_value(low, None, len(tallies), None, None)
        values[f"{FULFILLMENT}_high"] = make_value(high, None, len(tallies), None, None)
    asked = None if embedder == NONE else embedder
    if log and (found := row.embedded.get(task)):
        # What the results have is the same number, unless another embedder was asked for.
        if asked or LOCAL not in values or math.isnan(values[LOCAL].value):
            values[LOCAL] = mean_value(
                found.local, DEFINITIONS[LOCAL].higher_is_better, bounds=COSINES
            )
        if asked or GLOBAL not in values or math.isnan(values[GLOBAL].value):
            values[GLOBAL] = make_value(
                value_of(global_over_questions, found.sums),
                standard_error(global_over_questions, found.sums, MAX_ITERATIONS),
                len(found.questions),
                None,
                DEFINITIONS[GLOBAL].higher_is_better,
                COSINES,
            )
    elif asked and log and wants_vectors(run, log):
        for name in (LOCAL, GLOBAL):  # those of the results are another embedder's
            values[name] = make_value(None, None, 0, None, DEFINITIONS[name].higher_is_better)
    return values


def _why_no_value(run: TaskRun, log: Log | None) -> str:
    """Why pass@k has no value, for want of verdicts; empty where it has one."""
    if log:
        judged = log.kind in (CODE, ANSWERS)
        return in_place_of_rate(log.unscored, log.samples) or "" if judged else ""
    of_filter = run.headline.filter if run.headline else SCORED
    unscored, _ = run.values.get(f"unscored,{of_filter}", (0.0, None))
    samples, questions = run.metadata.get("n_samples"), run.facts["questions"]
    if not (unscored and isinstance(samples, int) and questions):
        return ""
    return in_place_of_rate(round(unscored), samples * questions) or ""


def _needs_verdicts(metric: str) -> bool:
    name = AnswerName.of(metric)
    return at_k(metric) is not None or (name is not None and name.number != DISTINCT)


def _bounds(metric: str, of_each: np.ndarray | None, log: Log | None) -> tuple[float, float] | None:
    """What a number cannot leave: cosines, and shares of questions or samples."""
    if metric in (LOCAL, GLOBAL):
        return COSINES
    if log is None or of_each is None:
        return None
    if log.kind == ANSWERS and (name := AnswerName.of(metric)):
        is_share = name.number != DISTINCT and name.metric in log.binary
        return (0.0, 1.0) if is_share else None
    if at_k(metric) or metric in RATES:
        return 0.0, 1.0
    if log.kind != OTHER:
        return None
    return (0.0, 1.0) if set(of_each[~np.isnan(of_each)]) <= {0.0, 1.0} else None


def _warnings(run: TaskRun, log: Log | None, values: dict[str, Value]) -> list[str]:
    warnings = []
    limit, part = run.run.get("limit"), part_of(run, log)
    if limit or part:
        how = f" (--limit {one_line(str(limit))})" if limit else ""
        warnings.append(
            f"a part of the benchmark alone{f': {part} questions' if part else ''}{how}."
        )
    if log is None:
        warnings.append("without samples: no paired comparison.")
    elif log.unscored:
        warnings.append(f"{log.unscored:,} of {log.samples:,} samples are unscored.")
    if why := _why_no_value(run, log):
        what = "pass@k" if any(map(at_k, values)) else "the score"
        warnings.append(f"{what} has no value, since too few samples have a verdict ({why}).")
    computed = {*log.computed, FULFILLMENT} if log else set()
    differing = [
        name
        for name, (theirs, _) in ((run.name_of(key), value) for key, value in run.values.items())
        if theirs is not None
        and name in values
        and name in computed
        and not math.isnan(values[name].value)
        and not math.isclose(values[name].value, theirs, abs_tol=TOLERANCE)
    ]
    if differing:
        warnings.append(
            f"its samples give another {', '.join(differing[:3])} than its results; the samples count."
        )
    warnings += asked_amiss(run)
    if warning := run.noted("judging").get("warning"):
        warnings.append(f"{one_line(str(warning))}.")
    return warnings
