"""How several judges of one run agree, and what each of them found: tables of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hm_metrics.report.page import Table
from hm_metrics.report.rows import Row

HEAD = ("row", "task", "judges", "answers", "accuracy", "Cohen's kappa [95 %]")
NOTED = "judges_found"  # where a task of several judges notes them, in its metadata


def judges_tables(rows: Sequence[Row]) -> list[Table]:
    """Their agreement and their rates; none where no run had several judges."""
    agreement = [line for row in rows for line in _agreements(row)]
    rates = [line for row in rows for line in _rates(row)]
    if not agreement:
        return []
    return [
        Table(
            "Agreement of judges",
            "Each two judges of a run over the answers that both scored. The run's own numbers are by the "
            "majority; an answer with as many votes for one score as for another is unscored.",
            HEAD,
            agreement,
        ),
        Table(
            "Rates by judge",
            "What each judge alone would have given.",
            ("row", "task", "judge", "number", "value"),
            rates,
        ),
    ]


def _noted(row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    for task, run in row.point.runs.items():
        if found := run.noted(NOTED):
            yield task, found


def _agreements(row: Row) -> Iterator[list[str]]:
    for task, found in _noted(row):
        for pair in found.get("agreement") or ():
            names = f"{pair.get('first')} and {pair.get('second')}"
            kappa = "not defined" if pair.get("n") else ""
            if pair.get("kappa") is not None:
                low, high = _number(pair.get("kappa_low")), _number(pair.get("kappa_high"))
                kappa = f"{_number(pair['kappa'])} [{low}, {high}]"
            accuracy = _number(pair.get("accuracy"))
            yield [row.point.id, task, names, str(pair.get("n")), accuracy, kappa]


def _rates(row: Row) -> Iterator[list[str]]:
    for task, found in _noted(row):
        for judge, rates in (found.get("rates") or {}).items():
            for rate, value in rates.items():
                if not rate.endswith(("_low", "_high")):
                    yield [row.point.id, task, str(judge), str(rate), _number(value)]


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, (int, float)) else str(value or "")
