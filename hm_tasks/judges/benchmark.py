"""What `hm-judge` needs of a benchmark: what its judge decides, and its tables.

>>> rate_in_words([Tally(2, 4, 1), Tally(1, 4, 0)])
'0.375 ± 0.125'
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hm_metrics.fulfillment import Tally, rate, rate_error
from hm_metrics.logs.labelled import Labelled
from hm_tasks.judges.rubric import Rubric

Columns = Mapping[str, Sequence[Labelled]]  # answers by the name of a log, or of who labelled them


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One benchmark with a judge.

    Attributes:
        rates: the table of rates, for people.
        write: the same as a CSV.
    """

    rubric: Rubric
    rates: Callable[[Columns], str]
    write: Callable[[Columns, Path], None]


def rate_in_words(tallies: Sequence[Tally]) -> str:
    """A rate with its standard error, as tables have it."""
    if not any(tally.scored for tally in tallies):
        return "unscored"
    return f"{rate(tallies):.3f} ± {rate_error(tallies):.3f}"
