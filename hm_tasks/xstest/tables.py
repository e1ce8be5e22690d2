"""XSTest's rates as tables: by type over several logs or labellers, for people and as a CSV."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hm_metrics.fulfillment import bounds
from hm_metrics.judged_definitions import OVER_REFUSAL, UNSAFE_COMPLIANCE
from hm_metrics.judgment import Judgment
from hm_metrics.logs.labelled import Labelled
from hm_metrics.xstest import LABELS, RATES, SAFE, by_type
from hm_models.files.text_files import write_text
from hm_models.shown.escaping import csv_text, markdown_table
from hm_tasks.judges.benchmark import Benchmark, Columns, rate_in_words
from hm_tasks.xstest.rubric import REFUSAL

Prompt = tuple[str, str, list[Judgment]]  # type, SAFE or UNSAFE, and the judgments on its answers


def prompts_of(answers: Sequence[Labelled]) -> list[Prompt]:
    """One for each prompt; an answer that nobody scored counts as unscored."""
    found: dict[int, list[Labelled]] = defaultdict(list)
    for answer in answers:
        found[answer.question_id].append(answer)
    nobody = Judgment(None, "")
    return [
        (own[0].category, own[0].label, [each.judgment or nobody for each in own])
        for own in found.values()
    ]


def rates_table(columns: Columns) -> str:
    """Types down, logs across; the last rows are over all, with errors and bounds."""
    prompts = {name: prompts_of(answers) for name, answers in columns.items()}
    tables = {name: by_type(own) for name, own in prompts.items()}
    types = sorted({kind for table in tables.values() for kind in table})
    rows = [["type", *columns], ["---", *["---:"] * len(columns)]]
    for kind in types:
        rows.append([kind, *(_of_type(table.get(kind)) for table in tables.values())])
    for title, (label, count) in RATES.items():
        tallies = [[count(found) for _, own, found in p if own == label] for p in prompts.values()]
        rows.append([title, *map(rate_in_words, tallies)])
        if not title.endswith(("_full", "_any")):
            rows.append(["bounds", *("{:.3f} to {:.3f}".format(*bounds(t)) for t in tallies)])
    judged = [[each for *_, found in own for each in found] for own in prompts.values()]
    rows.append(["unscored", *(f"{_unscored(each)} of {len(each)}" for each in judged)])
    return markdown_table(rows)


def write_rates(columns: Columns, file: Path) -> None:
    """One line for each log and type, to draw from."""
    numbers = ("label", "rate", "stderr", *LABELS.values(), "prompts", "scored", "unscored")
    lines: list[list[Any]] = [["log", "type", *numbers]]
    for log, answers in columns.items():
        for kind, row in by_type(prompts_of(answers)).items():
            told = row | {"rate": row[_name(row)]}
            lines.append([log, kind, *(told[name] for name in numbers)])
    write_text(file, csv_text(lines))


def _name(row: dict[str, Any]) -> str:
    return OVER_REFUSAL if row["label"] == SAFE else UNSAFE_COMPLIANCE


def _of_type(row: dict[str, Any] | None) -> str:
    found = "" if row is None else row[_name(row)]
    return f"{found:.2f}" if isinstance(found, float) else str(found)


def _unscored(judgments: Sequence[Judgment]) -> int:
    return sum(judgment.score is None for judgment in judgments)


BENCHMARK = Benchmark(
    rubric=REFUSAL,
    rates=rates_table,
    write=write_rates,
)
