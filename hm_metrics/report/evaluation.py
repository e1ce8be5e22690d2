"""What a merge's card says of what was measured: numbers with errors, the instruct model's beside them.

evaluation = evaluation_of(choose_merge(Path("runs/sweep"), "pass@10"))
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from huggingface_hub import EvalResult

from hm_metrics.definitions import is_count
from hm_metrics.report.baseline import Instruct, instruct_of
from hm_metrics.report.chosen import Chosen
from hm_metrics.report.comparisons import to_instruct
from hm_metrics.report.differences import all_differences, baseline_table
from hm_metrics.report.leaderboard import BoardColumn, text
from hm_metrics.report.page import PageFigure
from hm_metrics.report.pictures import draw
from hm_metrics.report.values import Value
from hm_models.merge.card import Evaluation
from hm_models.shown.escaping import code_span, markdown_table, markdown_text, one_line

FIGURES = "figures"
GENERATION = "text-generation"  # the hub's name for what such models do


def evaluation_of(chosen: Chosen) -> Evaluation:
    """The card's part on one row, with the figures of a report on its family."""
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw(chosen.rows, Path(folder) / FIGURES, problems)
    pictures = {str(PurePosixPath(figure.file).with_suffix(".png")): figure for figure in drawn}
    measured = [
        (column, value) for column in chosen.columns if (value := column.of(chosen.row)) is not None
    ]
    sections = [
        "## Evaluation",
        f"Chosen by {code_span(chosen.rule)}.",
        *map(markdown_text, chosen.words),
        _beside_instruct(chosen, [column for column, _ in measured if column.shown]),
        *_differences(chosen),
        _protocol(chosen),
        _unscored(chosen, problems),
        *(_picture(name, figure) for name, figure in pictures.items()),
    ]
    results = [
        _result(chosen, column, value)
        for column, value in measured
        if column.shown and not is_count(column.metric) and not math.isnan(value.value)
    ]
    return Evaluation(results, sections, {name: figure.png for name, figure in pictures.items()})


def _result(chosen: Chosen, column: BoardColumn, value: Value) -> EvalResult:
    run = chosen.row.point.runs[column.task]
    known = {
        "stderr": value.error,
        "confidence_95_low": value.low,
        "confidence_95_high": value.high,
        "questions": value.questions,
    }
    args = {name: one for name, one in known.items() if one is not None and not math.isnan(one)}
    return EvalResult(
        task_type=GENERATION,
        dataset_type=one_line(run.dataset_path or column.task),
        dataset_name=one_line(column.task),
        metric_type=one_line(column.metric),
        metric_name=one_line(column.key),
        metric_value=value.value,
        metric_args=args or None,
    )


def _beside_instruct(chosen: Chosen, shown: Sequence[BoardColumn]) -> str:
    lines = [
        ["number", "this merge", "instruct model", "what it is"],
        ["---", "---:", "---:", "---"],
    ]
    for column in shown:
        theirs = instruct_of(chosen.row, chosen.rows, column.task)
        beside = text(column.of(theirs)) if theirs else "not measured"
        lines.append([column.key, text(column.of(chosen.row)), beside, column.help])
    return (
        f"{markdown_text(chosen.row.point.id)}. Square brackets: 95 % intervals over questions.\n\n"
        + markdown_table(lines)
    )


def _differences(chosen: Chosen) -> list[str]:
    compared = to_instruct(chosen.rows, chosen.columns)
    ours = [comparison for comparison in compared if comparison.row is chosen.row]
    return [
        f"### {table.title}\n\n{markdown_text(f'{table.help} {whole.help}')}\n\n"
        + markdown_table([whole.head, ["---"] * len(whole.head), *whole.rows])
        for table in baseline_table(ours, Instruct())
        for whole in [all_differences(ours)]
    ]


def _protocol(chosen: Chosen) -> str:
    lines = [
        f"- {markdown_text(task)}: "
        + ", ".join(markdown_text(f"{name} {fact}") for name, fact in facts.items())
        for task, facts in chosen.row.facts.items()
    ]
    versions = _versions(chosen)
    return "\n".join(["### Protocol\n", *lines, *([f"- {versions}"] if versions else [])])


def _versions(chosen: Chosen) -> str:
    found = next(iter(chosen.row.point.runs.values())).versions
    told = [one_line(f"{name} {number}") for name, number in found.items() if number]
    return f"versions: {', '.join(map(markdown_text, told))}" if told else ""


def _unscored(chosen: Chosen, problems: Sequence[str]) -> str:
    """How many answers of each task refused, or have no verdict; and what a reader is warned of."""
    lines = []
    for task, log in chosen.row.logs.items():
        tallies = [tally for _, tally in log.tallies]
        if tallies:
            scored = sum(tally.scored for tally in tallies)
            fulfilled = sum(tally.fulfilled for tally in tallies)
            lines.append(
                f"{task}: of {scored + log.unscored:,} answers {scored - fulfilled:,} refuse, "
                f"{fulfilled:,} fulfil the request, {log.unscored:,} are unscored"
            )
        else:
            lines.append(f"{task}: of {log.samples:,} samples {log.unscored:,} are unscored")
    lines += [*chosen.row.warnings, *chosen.notes, *problems]
    listed = "\n".join(f"- {markdown_text(line)}" for line in lines)
    return f"### Refused, unscored, left out\n\n{listed or 'Nothing was.'}"


def _picture(name: str, figure: PageFigure) -> str:
    title = markdown_text(one_line(figure.title))
    return f"### {title}\n\n![{title}]({name})\n\n{markdown_text(figure.caption)}"
