"""pass@k of a row at every k up to its samples, whichever of them its run was asked for.

    every_k(row, "mbppplus_passk", "pass")[3].value

A row without samples has the k of its results.
"""

from __future__ import annotations

import math

import numpy as np

from hm_metrics.definitions import AT_K
from hm_metrics.logs.task_log import SCORED
from hm_metrics.pass_at_k import pass_at_k
from hm_metrics.report.leaderboard import ks_of
from hm_metrics.report.rows import Row
from hm_metrics.report.values import Value, mean_value


def every_k(row: Row, task: str, prefix: str) -> dict[int, Value]:
    """By k, in order; nothing where the row's pass@k has no value.

    Args:
        prefix: `pass`, or another of AT_K or of a wrapped task's numbers at k. Of those that are not
            counted (maj) there are the k that were asked for.
    """
    asked = {k: row.values.get(task, {}).get(f"{prefix}@{k}") for k in ks_of(row, task)}
    found = {k: value for k, value in asked.items() if value and not math.isnan(value.value)}
    log = row.logs.get(task)
    if not found or log is None or prefix not in log.counts:
        return found
    scored = log.counts[SCORED]
    # Beyond these k the mean would be over other questions.
    for k in range(1, int(scored[scored > 0].min()) + 1):
        if k not in found:
            each = _of_each(scored, log.counts[prefix], k)
            found[k] = mean_value(each, AT_K[prefix].higher_is_better)
    return dict(sorted(found.items()))


def _of_each(scored: np.ndarray, correct: np.ndarray, k: int) -> np.ndarray:
    """[G] pass@k of each question, nan where it has fewer scored samples."""
    pairs, place = np.unique(np.stack([scored, correct]), axis=1, return_inverse=True)
    values = [pass_at_k(n, c, k) if k <= n else np.nan for n, c in pairs.T.tolist()]
    return np.array(values)[place.reshape(-1)]
