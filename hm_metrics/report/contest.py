"""Merging against sampling: both families' frontiers and their equal tuning, out of a report's rows.

    for fight in fights(rows, columns): print(fight.sentence)

Ours are the merges of a pair by one method with one sampler, and alpha 1 with it; theirs is the instruct model
with all its samplers. Alpha 1 with that sampler is where both begin. Rows that were measured in another way
than most stay out, and are named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from hm_metrics.answer_names import DISTINCT
from hm_metrics.comparison import apart
from hm_metrics.definitions import LOCAL
from hm_metrics.equal_tuning import EqualTuning, equal_tuning
from hm_metrics.frontier import Contest, Family, contest
from hm_metrics.judged_definitions import FULFILLMENT
from hm_metrics.logs.models import INSTRUCT
from hm_metrics.report.comparisons import by_question
from hm_metrics.report.leaderboard import BoardColumn, main_number
from hm_metrics.report.protocol import comparable
from hm_metrics.report.rows import Row
from hm_metrics.report.samplers import differing, told
from hm_models.samples.sampler import Sampler

# What a frontier may have across, the first that all rows have being the one that the summary speaks of.
DIVERSITY = (
    LOCAL,
    "distinct_correct_behaviours",
    "distinct_behaviours",
    "distinct_correct_programs",
    "distinct_programs",
    DISTINCT,
)
SHARES = (LOCAL, FULFILLMENT)  # lower is better, of 1: 1 - it is across


@dataclasses.dataclass(frozen=True)
class Sides:
    """Who fights: rows of one family and task.

    Attributes:
        title: what tells this pair of sides from others.
        left_out: rows that were measured otherwise, and in what.
    """

    title: str
    task: str
    ours: list[Row]
    theirs: list[Row]
    left_out: list[str]


@dataclasses.dataclass(frozen=True)
class Fight:
    """Quality against something else, of two sides.

    Attributes:
        up, across: the numbers, as a reader is told them.
        ours, theirs: the points.
        same_questions: whether both numbers are of the same questions.
        headline: whether the summary speaks of it.
    """

    sides: Sides
    up: str
    across: str
    ours: Family
    theirs: Family
    same_questions: bool
    result: Contest
    headline: bool

    @property
    def sentence(self) -> str:
        """Who wins, or that nothing stands out."""
        found, sides = self.result.hypervolume, self.sides
        verdict = {1: "merging wins", -1: "sampling wins", 0: "nothing stands out"}[found.ahead]
        without = f" Left out: {'; '.join(sides.left_out)}." if sides.left_out else ""
        return (
            f"{sides.title}: merging ({len(sides.ours)} settings) against sampling "
            f"({len(sides.theirs)}), the frontier of {self.up} and {self.across}: {verdict} (area "
            f"{apart(found.difference, found.low, found.high)}).{without}"
        )


@dataclasses.dataclass(frozen=True)
class Tuned:
    """One number of two sides, tuned alike."""

    sides: Sides
    metric: str
    result: EqualTuning


def sides_of(rows: Sequence[Row], task: str) -> list[Sides]:
    """Every merge method, stage and sampler of each family against its instruct model."""
    found = []
    ours = [row for row in rows if task in row.values]
    merges = [
        row for row in ours if row.point.model.alpha and not row.point.model.is_base_or_instruct
    ]
    groups = dict.fromkeys(map(_group, merges))
    for family, stage, method, sampler in groups:
        sampled = [
            row for row in ours if row.point.family == family and row.point.model.number == INSTRUCT
        ]
        merged = [row for row in merges if _group(row) == (family, stage, method, sampler)]
        alike, others = comparable([*merged, *sampled], lambda row: [row.facts[task]])
        theirs = [row for row in sampled if row in alike]
        first = [row for row in theirs if row.point.sampler == sampler]
        mine = [row for row in merged if row in alike]
        if not mine or len(theirs) < 2:
            continue
        parts = [family, *([stage] if stage else [])]
        parts += [method] if len({g[2] for g in groups if g[0] == family}) > 1 else []
        samplers = {g[3] for g in groups if g[0] == family} - {None}
        parts += told(sampler, differing([known for known in samplers if known]))
        left = [f"{row.point.label} ({', '.join(facts)} differs)" for row, facts in others]
        found.append(Sides(f"{', '.join(parts)}, {task}", task, [*mine, *first], theirs, left))
    return found


def fights(rows: Sequence[Row], columns: Sequence[BoardColumn]) -> list[Fight]:
    """Quality (pass@1 and pass@k, or a mean score) against diversity and refusals, where rows have both."""
    named = {(column.task, column.metric): column for column in columns}
    found: list[Fight] = []
    for task in dict.fromkeys(task for row in rows for task in row.values):
        main = main_number(rows, task)
        for sides in sides_of(rows, task) if main else []:
            both = [*sides.ours, *sides.theirs]
            ups = [
                c
                for c in (named.get((task, name)) for name in dict.fromkeys(("pass@1", main)))
                if c
            ]
            beside = [c for c in (named.get((task, metric)) for metric in DIVERSITY) if c]
            beside += [c for (_, metric), c in named.items() if metric == FULFILLMENT]
            # pass@k at equal pass@1.
            pairs = [(up, across) for up in ups for across in beside]
            pairs += [(ups[-1], ups[0])] if len(ups) > 1 else []
            ours = len(found)
            for up, across in pairs:
                tables = [_table(both, column) for column in (up, across)]
                if tables[0] is not None and tables[1] is not None:
                    found.append(
                        _fight(sides, up, across, tables[0], tables[1], len(found) == ours)
                    )
    return found


def tuned(rows: Sequence[Row], columns: Sequence[BoardColumn]) -> list[Tuned]:
    """The main number of both sides with equal tuning."""
    named = {(column.task, column.metric): column for column in columns}
    found = []
    for task in dict.fromkeys(task for row in rows for task in row.values):
        column = named.get((task, main_number(rows, task)))
        for sides in sides_of(rows, task) if column else []:
            assert column is not None
            values = _table([*sides.ours, *sides.theirs], column)
            if values is not None and values.shape[1] >= 4:
                split = len(sides.ours)
                result = equal_tuning(values[:split], values[split:])
                found.append(Tuned(sides, column.key, result))
    return found


def _group(row: Row) -> tuple[str, str, str, Sampler | None]:
    model = row.point.model
    return row.point.family, model.stage or "", model.method, row.point.sampler


def _fight(
    sides: Sides,
    up: BoardColumn,
    across: BoardColumn,
    ups: np.ndarray,
    beside: np.ndarray,
    headline: bool,
) -> Fight:
    split, same = len(sides.ours), up.task == across.task
    if across.metric in SHARES:
        beside = 1.0 - beside
    ours = Family("merging", beside[:split], ups[:split])
    theirs = Family("sampling", beside[split:], ups[split:])
    name = f"1 - {across.key}" if across.metric in SHARES else across.key
    result = contest(ours, theirs, same_questions=same)
    return Fight(sides, up.key, name, ours, theirs, same, result, headline)


def _table(rows: Sequence[Row], column: BoardColumn) -> np.ndarray | None:
    """[rows, questions] values by question, nan where unscored; None where a row has none."""
    values = by_question(rows, column)
    return None if np.isnan(values).all(axis=1).any() else values
