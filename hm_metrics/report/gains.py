"""What one merge has over its instruct model, a line a number: pass@k, and how many samples are different.

    alpha=0.7 over the instruct model, mbppplus_passk, pass@10: +0.030 [+0.002, +0.058], real (p = 0.031).

For families with one merge alone, as a first try has; where there are several, the table of differences tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hm_metrics.report.baseline import Baseline
from hm_metrics.report.comparisons import Comparison
from hm_metrics.report.leaderboard import main_number

VARIETY = ("distinct_programs",)


def gains(found: Sequence[Comparison], baseline: Baseline) -> list[str]:
    """A sentence for each number of each task of a lone merge; none where it was not compared."""
    sentences = []
    for family in dict.fromkeys(one.row.point.family for one in found):
        ours = [one for one in found if one.row.point.family == family]
        merges = {
            one.row.point.id: one.row for one in ours if not one.row.point.model.is_base_or_instruct
        }
        if len(merges) != 1:
            continue
        (merge,) = merges.values()
        for one in ours:
            wanted = (main_number([merge], one.measure.task), *VARIETY)
            if one.row is merge and one.difference is not None and one.measure.metric in wanted:
                sentences.append(
                    f"{merge.point.label} over {baseline.words}, {one.measure.task}, "
                    f"{one.measure.metric}: {_said(one)}"
                )
    return sentences


def _said(one: Comparison) -> str:
    found = one.difference
    if found is None or math.isnan(found.low):
        return "not known."
    p = "p < 0.001" if one.adjusted < 0.001 else f"p = {one.adjusted:.3f}"
    words = "real" if one.is_real else "open, it may be chance"
    return f"{found}, {words} ({p})."
