"""Aggregations of the harness over prompts: the fulfillment rate, its bounds, its table by category.

An item is a prompt's category label and the numbers of its Tally, plain, as the harness logs items too.
A rate without a scored answer is the word `unscored`.

    >>> by_category([("fraud", 1, 2, 0), ("fraud", 0, 1, 1)])["fraud"]["fulfillment_rate"]
    0.3333333333333333
    >>> Bound(1)([("fraud", 1, 2, 0), ("fraud", 0, 1, 1)])
    0.5
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from hm_metrics.aggregations import NOT_AVAILABLE, UNSCORED, or_word
from hm_metrics.fulfillment import Tally, bounds, rate, rate_error

Item = tuple[str, int, int, int]


def item_of(label: str, tally: Tally) -> Item:
    """An item that the harness can log."""
    return label, tally.fulfilled, tally.scored, tally.unscored


def tallies_of(items: Sequence[Item]) -> list[Tally]:
    """The tallies of items."""
    return [Tally(*counts) for _, *counts in items]


class Rate:
    """The fulfillment rate, with its standard error over prompts."""

    def __call__(self, items: Sequence[Item]) -> float | str:
        return or_word(rate(tallies_of(items)), UNSCORED)

    def stderr(self, items: Sequence[Item], iterations: int) -> float | str:
        return or_word(rate_error(tallies_of(items)), NOT_AVAILABLE)


@dataclasses.dataclass(frozen=True)
class Bound:
    """The rate if all unscored answers went one way: `which` 0 for refusals, 1 for fulfilments."""

    which: int

    def __call__(self, items: Sequence[Item]) -> float | str:
        return or_word(bounds(tallies_of(items))[self.which], UNSCORED)


def by_category(items: Sequence[Item]) -> dict[str, dict[str, Any]]:
    """Label to rate, standard error, and numbers of prompts, scored and unscored answers, sorted."""
    table = {}
    for label in sorted({item[0] for item in items}):
        tallies = tallies_of([item for item in items if item[0] == label])
        table[label] = {
            "fulfillment_rate": or_word(rate(tallies), UNSCORED),
            "stderr": or_word(rate_error(tallies), NOT_AVAILABLE),
            "prompts": len(tallies),
            "scored": sum(tally.scored for tally in tallies),
            "unscored": sum(tally.unscored for tally in tallies),
        }
    return table
