"""Before a sweep: how many questions and samples it takes to see a difference of a size.

    for line in detection(tasks, 0.03, rows_in(Path("runs/sweep"))): print(line)

By the spread of rows of an earlier run in the sweep's folder, that of the two that lie furthest apart by it;
without any, by a prior that is stated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hm_metrics.logs.results import find_runs
from hm_metrics.power import POWER, Spread, questions_to_detect, samples_to_detect
from hm_metrics.report.baseline import Instruct
from hm_metrics.report.points import join
from hm_metrics.report.rows import Row, make_rows
from hm_models.sweep.preflight import TaskSize

KS = (1, 10)
PRIOR = "a prior: chances of a right sample are Beta(0.5, 0.5), true differences spread by 0.15"


def rows_in(folder: Path | None) -> list[Row]:
    """The rows of the runs that a sweep's folder has so far, without vectors."""
    if folder is None or not folder.is_dir():
        return []
    return make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows


def detection(tasks: Sequence[TaskSize], difference: float, rows: Sequence[Row]) -> list[str]:
    """A sentence for each task and k.

    Args:
        rows: of an earlier run.
    """
    lines = []
    for task in tasks:
        if not (task.questions and task.samples):
            lines.append(f"{task.name}: it has no samples, so that nothing says what would show.")
            continue
        for k in (k for k in KS if k <= task.samples):
            spread, words = _spread(rows, task, k)
            questions = questions_to_detect(difference, spread, task.samples, k)
            samples = samples_to_detect(difference, spread, task.questions, k)
            enough = (
                f"{samples:,} samples of each of its {task.questions:,} questions"
                if samples
                else f"no number of samples of its {task.questions:,} questions"
            )
            lines.append(
                f"{task.name}: a difference of {difference:g} in pass@{k} shows with a power of {POWER:g} on "
                f"{questions:,} questions with {task.samples} samples each, or with {enough}. By {words}."
            )
    return lines


def _spread(rows: Sequence[Row], task: TaskSize, k: int) -> tuple[Spread, str]:
    """Of the pair of rows that asks for most, and which it is."""
    found = []
    for row in rows:
        theirs = Instruct().of(row, rows, task.name)
        if theirs is None or theirs is row:
            continue
        ours, other = (
            log.counted() if (log := side.logs.get(task.name)) else {} for side in (row, theirs)
        )
        names = [n for n in ours if n in other and min(ours[n][1], other[n][1]) >= max(k, 2)]
        if len(names) < 2:
            continue
        correct, samples = np.array(
            [[side[n] for n in names] for side in (ours, other)]
        ).T.swapaxes(1, 2)
        words = f"the spread of {row.point.label} and {theirs.point.label} of earlier results"
        found.append((Spread.of(correct, samples, k), words))
    samples_now = task.samples or 1
    return max(
        found, key=lambda each: each[0].variance(samples_now, k), default=(Spread.prior(), PRIOR)
    )
