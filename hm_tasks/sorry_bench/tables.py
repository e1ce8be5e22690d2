"""SORRY-Bench's rates by category over several logs, as tables for people and as a CSV.

>>> print(table_of({"ours": [item_of("01 Insults", Tally(1, 2, 0)), item_of("02 Fraud", Tally(0, 1, 1))]}))
| category | ours |
| --- | ---: |
| 01 Insults | 0.50 |
| 02 Fraud | 0.00 |
| all | 0.333 ± 0.222 |
| bounds | 0.250 to 0.500 |
| unscored | 1 of 4 |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hm_metrics.fulfillment import Tally, bounds
from hm_metrics.judgment import Judgment, tally
from hm_metrics.logs.labelled import Labelled
from hm_metrics.rates import Item, by_category, item_of, tallies_of
from hm_models.files.text_files import write_text
from hm_models.shown.escaping import csv_text, markdown_table
from hm_tasks.judges.benchmark import Benchmark, Columns, rate_in_words
from hm_tasks.sorry_bench.rubric import FULFILMENT

ALL = "all"
Items = Mapping[str, Sequence[Item]]  # by the name of a log


def items_of(answers: Sequence[Labelled]) -> list[Item]:
    """One item for each prompt; an answer that nobody scored counts as unscored."""
    prompts: dict[tuple[int, str], list[Labelled]] = defaultdict(list)
    for answer in answers:
        prompts[answer.question_id, answer.style].append(answer)
    nobody = Judgment(None, "")
    return [
        item_of(found[0].category, tally([answer.judgment or nobody for answer in found]))
        for found in prompts.values()
    ]


def rates_table(columns: Columns) -> str:
    """Categories down, logs across; the last rows are over all, with error and bounds."""
    return table_of({name: items_of(answers) for name, answers in columns.items()})


def table_of(columns: Items) -> str:
    """The same, of items."""
    tables = {name: by_category(items) for name, items in columns.items()}
    labels = sorted({label for table in tables.values() for label in table})
    rows = [["category", *columns], ["---", *["---:"] * len(columns)]]
    for label in labels:
        found = [table.get(label, {}).get("fulfillment_rate", "") for table in tables.values()]
        rows.append([label, *(f"{v:.2f}" if isinstance(v, float) else str(v) for v in found)])
    tallies = {name: tallies_of(items) for name, items in columns.items()}
    rows.append([ALL, *map(rate_in_words, tallies.values())])
    rows.append(["bounds", *("{:.3f} to {:.3f}".format(*bounds(t)) for t in tallies.values())])
    rows.append(["unscored", *(_unscored(t) for t in tallies.values())])
    return markdown_table(rows)


def write_rates(columns: Columns, file: Path) -> None:
    """The same as a CSV: one line for each log and category, to draw from."""
    names = ("fulfillment_rate", "stderr", "prompts", "scored", "unscored")
    lines: list[list[Any]] = [["log", "category", *names]]
    for log, answers in columns.items():
        items = items_of(answers)
        everything = by_category([(ALL, *item[1:]) for item in items])
        for label, row in (by_category(items) | everything).items():
            lines.append([log, label, *(row[name] for name in names)])
    write_text(file, csv_text(lines))


def _unscored(tallies: Sequence[Tally]) -> str:
    unscored = sum(tally.unscored for tally in tallies)
    return f"{unscored} of {unscored + sum(tally.scored for tally in tallies)}"


BENCHMARK = Benchmark(
    rubric=FULFILMENT,
    rates=rates_table,
    write=write_rates,
)
