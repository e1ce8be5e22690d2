"""A larger k without paying for it: the rows' pass@k beyond their samples, by a model (never a measurement).

for found in forecasts(rows): print(found.row.point.id, found.beyond[-1].value)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hm_metrics.extrapolation import Extrapolated, extrapolate
from hm_metrics.logs.task_log import PASS, SCORED
from hm_metrics.report.leaderboard import ks_of
from hm_metrics.report.rows import Row

KS = (20, 50, 100)  # those beyond a row's samples
FEWEST = 4  # samples a question below which nothing tells rare from never


@dataclasses.dataclass(frozen=True)
class Forecast:
    """One row's pass@k beyond its samples.

    Attributes:
        measured: the largest k that was.
    """

    row: Row
    task: str
    measured: int
    beyond: list[Extrapolated]


def forecasts(rows: Sequence[Row]) -> list[Forecast]:
    """For every row and task whose right samples are counted, a few samples a question at least."""
    found = []
    for row in rows:
        for task, log in row.logs.items():
            if PASS not in log.counts or not ks_of(row, task):
                continue
            correct, samples = log.counts[PASS], log.counts[SCORED]
            ks = [k for k in KS if k > samples.max()]
            if ks and samples.max() >= FEWEST and (samples > 0).sum() > 1:
                beyond = extrapolate(correct, samples, ks)
                found.append(Forecast(row, task, ks_of(row, task)[-1], beyond))
    return found
