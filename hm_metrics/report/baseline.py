"""What rows are compared with: the instruct model of their pair, or a row that the reader names.

    chosen = baseline_of("alpha=0.7", rows)      # that row of each family which has one
    chosen.of(row, rows, task)

A name is a row's label, which every family may have, or its full name (`FAMILY: LABEL`), which is then what the
rows of all families are compared with: a new training run, another seed, a plain model of the harness.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

from hm_metrics.logs.models import INSTRUCT
from hm_metrics.report.rows import Row
from hm_models.errors import UsageError, did_you_mean


class BaselineError(UsageError, ValueError):
    """A baseline that is no row."""


class Baseline(Protocol):
    """Which row another is compared with.

    Attributes:
        words: what it is called in sentences.
        missing: the sentence where a row has none.
    """

    @property
    def words(self) -> str: ...

    @property
    def missing(self) -> str: ...

    def of(self, row: Row, rows: Sequence[Row], task: str) -> Row | None:
        """The other row, which has the task; None without one. A baseline is its own."""


@dataclasses.dataclass(frozen=True)
class Instruct:
    """Alpha 1 of the row's pair with its sampler."""

    words: str = "the instruct model"
    missing: str = "There is no instruct model (alpha=1) with its sampler beside it."

    def of(self, row: Row, rows: Sequence[Row], task: str) -> Row | None:
        if row.point.model.number == INSTRUCT:
            return row
        return instruct_of(row, rows, task) if row.point.model.alpha else None


@dataclasses.dataclass(frozen=True)
class Named:
    """Rows by family; that of "" is for every family without its own."""

    name: str
    rows: Mapping[str, Row]

    @property
    def words(self) -> str:
        return f"the baseline ({self.name})"

    @property
    def missing(self) -> str:
        return f"The baseline ({self.name}) has no such number."

    def of(self, row: Row, rows: Sequence[Row], task: str) -> Row | None:
        found = self.rows.get(row.point.family, self.rows.get(""))
        return found if found is not None and task in found.values else None


def instruct_of(row: Row, rows: Sequence[Row], task: str) -> Row | None:
    """The row of alpha 1 with this task, with the same sampler and the closest protocol.

    One of another method will do: no method changes a checkpoint.
    """
    candidates = [
        other
        for other in rows
        if other.point.family == row.point.family
        and other.point.model.number == INSTRUCT
        and other.point.sampler == row.point.sampler
        and task in other.values
    ]
    return min(candidates, key=lambda other: len(differing(row, other, task)), default=None)


def differing(row: Row, theirs: Row, task: str) -> list[str]:
    """The facts of a task that are not the same in both rows."""
    ours, other = row.facts.get(task, {}), theirs.facts.get(task, {})
    return [fact for fact in dict.fromkeys([*ours, *other]) if ours.get(fact) != other.get(fact)]


def baseline_of(name: str, rows: Sequence[Row]) -> Baseline:
    """What `--baseline NAME` means among these rows; the instruct models for an empty name.

    Raises:
        BaselineError: no row is called so; the sentence says which there are.
    """
    if not name:
        return Instruct()
    for row in rows:
        if name == row.point.id:
            return Named(name, {"": row})
    found = {row.point.family: row for row in rows if name == row.point.label}
    if found:
        if len({row.point.family for row in rows}) > 1 and len(found) == 1:
            return Named(name, {"": next(iter(found.values()))})
        return Named(name, found)
    known = dict.fromkeys([r.point.label for r in rows] + [r.point.id for r in rows])
    raise BaselineError(
        f"--baseline {name!r}: no row is called so.{did_you_mean(name, known)} The rows are: "
        f"{', '.join(row.point.id for row in rows)}."
    )
