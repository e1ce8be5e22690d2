"""Portfolios out of a report's rows: a budget of samples spent over the alphas and samplers of a family.

    for found in portfolios(rows): print(found.sentence)

Rows of one family that answered the same questions of a task in the same way take part; others are named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from hm_metrics.logs.task_log import PASS
from hm_metrics.portfolio import Portfolio, portfolio
from hm_metrics.report.leaderboard import best_k
from hm_metrics.report.protocol import comparable
from hm_metrics.report.rows import Row


@dataclasses.dataclass(frozen=True)
class FamilyPortfolio:
    """The portfolio of one family on one task.

    Attributes:
        result: None where there is none, and `why_not` says why.
        left_out: rows that take no part, and why.
    """

    family: str
    task: str
    k: int
    rows: list[str]
    result: Portfolio | None
    why_not: str
    left_out: list[str]

    @property
    def split(self) -> str:
        """How many samples of which row."""
        if self.result is None:
            return ""
        spent = zip(self.rows, self.result.split, strict=True)
        return ", ".join(f"{samples} x {row}" for row, samples in spent if samples)

    @property
    def sentence(self) -> str:
        """The split to use, and whether it is more than chance better than the best single row."""
        where = f"{self.family}, {self.task}: "
        aside = f" Left out: {'; '.join(self.left_out)}." if self.left_out else ""
        found = self.result
        if found is None:
            return f"{where}no portfolio. {self.why_not}{aside}"
        shown = f"{where}{self.k} samples are best spent as {self.split}: {found.value:.3f} solved."
        if found.single is None or found.difference is None:
            return f"{shown} No single row has {self.k} samples.{aside}"
        verdict = {1: "it is better", -1: "it is worse", 0: "nothing stands out"}
        return (
            f"{shown} Against the best single row ({self.rows[found.single]}) {found.difference}: "
            f"{verdict[found.difference.ahead]}.{aside}"
        )


def portfolios(rows: Sequence[Row], k: int = 0) -> list[FamilyPortfolio]:
    """For every family and task with several rows whose right samples are counted.

    Args:
        k: the budget; 0 for the k of the frontier.
    """
    found = []
    for task in dict.fromkeys(task for row in rows for task in row.logs):
        counted = [r for r in rows if task in r.logs and PASS in r.logs[task].counts]
        for family in dict.fromkeys(row.point.family for row in counted):
            ours = [row for row in counted if row.point.family == family]
            budget = k or best_k(ours, task)
            alike, left_out = _alike(ours, task)
            if budget and len(alike) > 1:
                found.append(_one(family, task, budget, alike, left_out))
    return found


def _alike(rows: Sequence[Row], task: str) -> tuple[list[Row], list[str]]:
    """The rows that answered the same questions in the same way; the others, and why not."""
    alike, others = comparable(rows, lambda row: [row.facts[task]])
    left = [f"{row.point.label} ({', '.join(facts)} differs)" for row, facts in others]
    asked = set(alike[0].logs[task].questions)
    kept = [row for row in alike if set(row.logs[task].questions) == asked]
    left += [f"{row.point.label} (other questions)" for row in alike if row not in kept]
    return kept, left


def _one(
    family: str, task: str, k: int, rows: Sequence[Row], left_out: list[str]
) -> FamilyPortfolio:
    names = rows[0].logs[task].questions
    counted = [row.logs[task].counted() for row in rows]
    correct, scored = np.array([[of[name] for name in names] for of in counted]).transpose(2, 0, 1)
    result, why_not = None, ""
    try:
        result = portfolio(correct, scored, k)
    except ValueError as error:
        why_not = str(error)
    labels = [row.point.label for row in rows]
    return FamilyPortfolio(family, task, k, labels, result, why_not, left_out)
