"""The leaderboard: which numbers are columns, and the table as CSV and Markdown.

    columns = columns_of(rows)
    write_csv(rows, columns, marks, Path("leaderboard.csv"))

The CSV has every number with its error, interval and questions, the Markdown those of `shown`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from hm_metrics import definitions
from hm_metrics.answer_names import AVERAGE, BEST, DISTINCT, AnswerName
from hm_metrics.definitions import AT_K, at_k, is_count
from hm_metrics.judged_definitions import DISTINCT_K
from hm_metrics.report.page import ProtocolNote
from hm_metrics.report.rows import Row
from hm_metrics.report.values import Value
from hm_models.files.text_files import write_text
from hm_models.shown.escaping import csv_text, markdown_table, markdown_text

OTHERS, COUNTS = "of other metrics and filters", "counts"
# Of a task's numbers in tables; "" is whatever else the results have.
ORDER = (*AT_K, "maj", "g_pass", AVERAGE, BEST, DISTINCT, "", OTHERS, COUNTS)
MOST_K = 10  # the largest k that a table shows, where it was measured


@dataclasses.dataclass(frozen=True)
class BoardColumn:
    """A number of the leaderboard.

    Attributes:
        key: unique; the metric's name, with the task in front where several tasks have it.
        shown: whether tables for people have it.
        compared: whether differences between rows are taken.
    """

    key: str
    task: str
    metric: str
    higher_is_better: bool | None
    shown: bool
    compared: bool

    @property
    def help(self) -> str:
        """What it is, in a sentence; empty for metrics of other people's tasks."""
        found = definitions.of(self.metric)
        return found.words if found else ""

    def of(self, row: Row) -> Value | None:
        """This number of a row; None where its task was not run."""
        return row.values.get(self.task, {}).get(self.metric)


def columns_of(rows: Sequence[Row]) -> list[BoardColumn]:
    """Every number that a row has, task by task."""
    found: dict[tuple[str, str], bool | None] = {}
    for task in dict.fromkeys(task for row in rows for task in row.values):
        for row in rows:
            for metric, value in row.values.get(task, {}).items():
                if found.get((task, metric)) is None:
                    found[task, metric] = value.higher_is_better
    metrics = [metric for _, metric in found]
    columns = []
    for (task, metric), better in sorted(found.items(), key=lambda item: _rank(item[0], found)):
        known = [at_k(name) for of, name in found if of == task]
        ks = [k for prefix, k in filter(None, known) if prefix == "pass"]
        columns.append(
            BoardColumn(
                key=metric if metrics.count(metric) == 1 else f"{task}:{metric}",
                task=task,
                metric=metric,
                higher_is_better=better,
                shown=_shown(metric, ks),
                compared=better is not None and _compared(metric, ks),
            )
        )
    return columns


def board_lines(
    rows: Sequence[Row],
    columns: Sequence[BoardColumn],
    marks: Mapping[str, Mapping[str, str]],
) -> tuple[list[str], list[list[str | float | None]]]:
    """The names of the columns, and a line a row: every number with error, interval and questions.

    What a row does not have is None; what is unscored is nan.
    """
    tasks = list(dict.fromkeys(column.task for column in columns))
    head = [
        "row",
        "family",
        "stage",
        "method",
        "alpha",
        "temperature",
        "sampler",
        "base",
        "instruct",
        "warnings",
    ]
    head += [f"{task} {what}" for task in tasks for what in ("protocol", "samples", "results")]
    parts = ("", "_stderr", "_low", "_high", "_questions")
    head += [column.key + part for column in columns for part in parts]
    lines: list[list[str | float | None]] = []
    for row in rows:
        model, point = row.point.model, row.point
        asked = dict.fromkeys(str(run.sampler) for run in point.runs.values() if run.sampler)
        line: list[str | float | None]
        line = [point.id, point.family, model.stage or "", model.method, model.alpha]
        line += [point.temperature, "; ".join(asked)]
        line += [model.base, model.instruct, " ".join(row.warnings)]
        for task in tasks:
            run = point.runs.get(task)
            samples = row.facts.get(task, {}).get("samples a question", "")
            line += [marks[point.id].get(task, ""), samples, str(run.file) if run else ""]
        for column in columns:
            if value := column.of(row):
                line += [value.value, value.error, value.low, value.high, value.questions]
            else:
                line += [None] * len(parts)
        lines.append(line)
    return head, lines


def write_csv(
    rows: Sequence[Row],
    columns: Sequence[BoardColumn],
    marks: Mapping[str, Mapping[str, str]],
    file: Path,
) -> None:
    """`board_lines` as a file; an unscored number is empty."""
    head, lines = board_lines(rows, columns, marks)
    write_text(file, csv_text([head, *([_plain(cell) for cell in line] for line in lines)]))


def write_markdown(
    rows: Sequence[Row],
    columns: Sequence[BoardColumn],
    notes: Sequence[ProtocolNote],
    marks: Mapping[str, Mapping[str, str]],
    words: Sequence[str],
    file: Path,
) -> None:
    """A table for people, what its marks stand for, and what else was noted."""
    shown = [column for column in columns if column.shown]
    tasks = list(dict.fromkeys(column.task for column in columns))
    head = ["row", *(f"protocol of {task}" for task in tasks), *(c.key for c in shown)]
    table = [head, ["---"] * (1 + len(tasks)) + ["---:"] * len(shown)]
    for row in rows:
        line = [row.point.id, *(marks[row.point.id].get(task, "") for task in tasks)]
        table.append([*line, *(text(column.of(row)) for column in shown)])
    parts = ["# Leaderboard", markdown_table(table)]
    parts.append(
        "Square brackets: 95 % intervals over questions. Rows whose protocols differ in more than "
        "prompts and sampler do not rank against each other."
    )
    for note in notes:
        facts = ", ".join(
            f"**{markdown_text(told)}**" if name in note.differs else markdown_text(told)
            for name, fact in note.facts.items()
            for told in (f"{name} {fact}",)
        )
        parts.append(f"- {markdown_text(note.task)}, protocol {note.mark}: {facts}")
    warnings = (f"{row.point.id}: {warning}" for row in rows for warning in row.warnings)
    parts += [f"- {markdown_text(word)}" for word in (*warnings, *words)]
    write_text(file, "\n\n".join(parts) + "\n")


def text(value: Value | None) -> str:
    """A number with its interval, to three digits."""
    if value is None:
        return ""
    if math.isnan(value.value):
        return "unscored"
    shown = f"{value.value:.3f}" if value.higher_is_better is not None else f"{value.value:.4g}"
    return shown if math.isnan(value.low) else f"{shown} [{value.low:.3f}, {value.high:.3f}]"


def _shown(metric: str, ks: Sequence[int]) -> bool:
    if found := at_k(metric):
        prefix, k = found
        return k in {min(ks, default=0), top_k(ks)} | ({5} if prefix == "pass" else set())
    if name := AnswerName.of(metric):
        return _leads(name, ks)
    if is_count(metric) and "," in metric:  # of another filter than the headline's
        return False
    return not metric.endswith(("_bound", "_low", "_high"))


def _compared(metric: str, ks: Sequence[int]) -> bool:
    if found := at_k(metric):
        prefix, k = found
        return k in {min(ks, default=0), top_k(ks)} and prefix != "base_pass"
    if name := AnswerName.of(metric):
        return _leads(name, ks)
    return not is_count(metric)


def _leads(name: AnswerName, ks: Sequence[int]) -> bool:
    """Of a wrapped task's numbers beside pass@k: the headline's, at one k, and what says more than pass@1."""
    if not name.is_headline:
        return False
    if name.prefix == "maj":
        return name.k == top_k(ks)
    if name.prefix == "g_pass":
        return name.k == top_k(ks) and name.threshold == 1.0
    return not (ks and name.number == AVERAGE)


def top_k(ks: Sequence[int]) -> int:
    """The k that answers the question of this project: 10, else the largest."""
    return MOST_K if MOST_K in ks else max(ks, default=0)


def ks_of(row: Row, task: str) -> list[int]:
    """The k of pass@k that a row has, in order."""
    found = (at_k(metric) for metric in row.values.get(task, {}))
    return sorted(k for prefix, k in filter(None, found) if prefix == "pass")


def best_k(rows: Sequence[Row], task: str) -> int:
    """The k of the frontier: 10, else the largest that all rows with the task have."""
    common = [set(ks_of(row, task)) for row in rows if ks_of(row, task)]
    return top_k(sorted(set.intersection(*common))) if common else 0


def main_number(rows: Sequence[Row], task: str) -> str:
    """The number that a task is about: pass@k with the k of the frontier, else a mean score, else the number
    of different answers; else empty."""
    if k := best_k(rows, task):
        return f"pass@{k}"
    found = {metric for row in rows for metric in row.values.get(task, {})}
    return next((metric for metric in (AVERAGE, DISTINCT_K) if metric in found), "")


def _rank(name: tuple[str, str], found: Mapping[tuple[str, str], object]) -> tuple:
    """Tasks as they come; the numbers of each by ORDER."""
    task, metric = name
    tasks = list(dict.fromkeys(t for t, _ in found))
    part, k = "", 0
    if known := at_k(metric):
        part, k = known
    elif answer := AnswerName.of(metric):
        part, k = (answer.prefix or answer.number, answer.k) if answer.is_headline else (OTHERS, 0)
    elif is_count(metric):
        part = COUNTS
    group = ORDER.index(part)
    return tasks.index(task), group, k, list(found).index(name)


def _plain(value: str | float | None) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or math.isnan(value) else f"{value:.10g}"
