"""`--select "pass@10 subject to fulfillment_rate<=0.35"`: which row of each family, and how surely.

Rows that were measured in another way than most (other samples, data, judge) do not take part; prompt
style and sampler may differ, as they do between a base and an instruct model. A number is named as in
the CSV, or with its task: `gsm8k_passk:pass@16 subject to ifeval_passk:avg@n>=0.6`.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from hm_metrics.report.comparisons import by_question, each_of
from hm_metrics.report.leaderboard import BoardColumn
from hm_metrics.report.protocol import comparable
from hm_metrics.report.rows import Row
from hm_metrics.rules import Rule
from hm_metrics.selection import Selection, select
from hm_models.errors import UsageError


class ChoiceError(UsageError, ValueError):
    """A rule that names numbers which no row has."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a rule says of one family.

    Attributes:
        selection: None where no row has all the numbers that the rule names.
        row: the best by estimate; None without one that satisfies the rule.
        sentences: the answer, and which rows were no candidates.
    """

    family: str
    selection: Selection | None
    row: Row | None
    sentences: list[str]


def choose(text: str, rows: Sequence[Row], columns: Sequence[BoardColumn]) -> list[Choice]:
    """The answer for each family.

    Raises:
        ChoiceError: the rule cannot be read, or names an unknown number.
    """
    known = {column.key: column for column in columns}
    with_task = {f"{column.task}:{column.metric}": column.key for column in columns}
    better = {key: column.higher_is_better for key, column in known.items()}
    try:
        rule = Rule.parse(text, better, with_task)
    except ValueError as error:
        raise ChoiceError(f"--select: {error}") from None
    metrics = dict.fromkeys([rule.metric, *(limit.metric for limit in rule.constraints)])
    named = [known[key] for key in metrics]
    families = dict.fromkeys(row.point.family for row in rows)
    return [
        _of_family(rule, [row for row in rows if row.point.family == family], named)
        for family in families
    ]


def _of_family(rule: Rule, ours: Sequence[Row], named: Sequence[BoardColumn]) -> Choice:
    family = ours[0].point.family
    tasks = list(dict.fromkeys(column.task for column in named))
    measured = [row for row in ours if all(column.of(row) for column in named)]
    kept, others = comparable(measured, lambda row: [row.facts[task] for task in tasks])
    if not kept:
        numbers = " and ".join(column.key for column in named)
        return Choice(family, None, None, [f"{family}: no row has all of {numbers}."])
    left = [f"{row.point.label} ({', '.join(facts)} differs)" for row, facts in others]
    left += [
        f"{row.point.label} has no {', '.join(c.key for c in named if not c.of(row))}"
        for row in ours
        if row not in measured
    ]
    found = select(rule, candidates(kept, named))
    sentences = [f"{family}: {found.sentence}"]
    if left:
        sentences.append(f"{family}: not among the candidates: {'; '.join(left)}.")
    best = next((row for row in kept if row.point.label == found.best), None)
    return Choice(family, found, best, sentences)


def candidates(
    rows: Sequence[Row], named: Sequence[BoardColumn]
) -> Mapping[str, Mapping[str, np.ndarray | tuple[float, float]]]:
    """Row to number to its values over the questions of all rows, or to value and standard error."""
    found: dict[str, dict[str, np.ndarray | tuple[float, float]]] = defaultdict(dict)
    for column in named:
        for row, values in zip(rows, by_question(rows, column), strict=True):
            value = column.of(row)
            assert value is not None
            known = each_of(row, column) is not None
            found[row.point.label][column.key] = values if known else (value.value, value.error)
    return found
