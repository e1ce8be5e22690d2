"""What `hm-judge` needs of a benchmark: what its judge decides, and its tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hm_metrics.logs.labelled import Labelled
from hm_tasks.judges.rubric import Rubric

Columns = Mapping[str, Sequence[Labelled]]  # answers by the name of a log, or of who labelled them


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One benchmark with a judge.

    Attributes:
        complete: the answers with their requests, where the file lacks them; and the data set's release.
        rates: the table of rates, for people.
        write: the same as a CSV.
    """

    rubric: Rubric
    complete: Callable[[Sequence[Labelled], str], list[Labelled]]
    rates: Callable[[Columns], str]
    write: Callable[[Columns, Path], None]
