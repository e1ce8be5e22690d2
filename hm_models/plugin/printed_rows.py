"""The printed table has those rows that a task of this plugin names; results, samples and loggers have all.

Harness: 0.4.13 and 0.5.0.dev1, which print every number of a task.
Unnecessary: once a task can say which of its numbers are printed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any


def change(module: Any) -> None:
    """Leave the others out in `lm_eval.utils.make_table`, and say under the table how many they are."""
    plain = module.make_table

    @functools.wraps(plain)
    def make_table(
        result_dict: Mapping[str, Any], column: str = "results", *args: Any, **kwargs: Any
    ) -> str:
        tables = {
            task: table
            for task, config in result_dict.get("configs", {}).items()
            if task in result_dict[column] and (table := config.get("table")) is not None
        }
        shown = {
            task: numbers if task not in tables else _shown(numbers, tables[task])
            for task, numbers in result_dict[column].items()
        }
        printed = plain({**result_dict, column: shown}, column, *args, **kwargs)
        return printed + _left_out(result_dict[column], shown, tables)

    module.make_table = make_table


def _shown(numbers: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `metric,filter` (and `metric_stderr,filter`) that are asked for; what has no filter stays."""

    def is_shown(key: str) -> bool:
        metric, comma, kind = key.partition(",")
        name = metric.removesuffix("_stderr")
        if not comma or not {name, f"{name},{kind}"}.isdisjoint(table["rows"]):
            return True
        return name in table["unless_zero"] and numbers[f"{name},{kind}"] != 0

    return {key: value for key, value in numbers.items() if is_shown(key)}


def _left_out(
    every: Mapping[str, Mapping[str, Any]],
    shown: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, Mapping[str, Any]],
) -> str:
    """How many rows of which task are not printed and where they are; and what was asked for in vain."""
    lines = []
    counts = {task: len(_rows(every[task])) - len(_rows(shown[task])) for task in tables}
    if found := ", ".join(f"{count} of {task}" for task, count in counts.items() if count):
        lines.append(
            f"Rows left out: {found}. They are in results_*.json (--output_path), and here with "
            """--metadata '{"table": "all"}'."""
        )
    names = {name for table in tables.values() if table["asked"] for name in table["rows"]}
    there = {name for task in tables for key in _rows(every[task]) for name in (key, _metric(key))}
    if missing := sorted(names - there):
        lines.append(
            f"Asked for by metadata.table, and not among the numbers: {', '.join(missing)}."
        )
    return "".join(f"\n{line}" for line in lines)


def _rows(numbers: Mapping[str, Any]) -> list[str]:
    return [key for key in numbers if "," in key and not _metric(key).endswith("_stderr")]


def _metric(key: str) -> str:
    return key.partition(",")[0]
