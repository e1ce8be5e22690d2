"""Contests, equal tuning, portfolios and forecasts as tables of words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hm_metrics.comparison import apart
from hm_metrics.frontier import Compared
from hm_metrics.report.contest import Fight, Tuned
from hm_metrics.report.forecast import KS, Forecast
from hm_metrics.report.page import Table
from hm_metrics.report.portfolios import FamilyPortfolio

AHEAD = {1: "merging", -1: "sampling", 0: "nothing stands out"}
MEASURES = {
    "hypervolume": "area (hypervolume)",
    "coverage": "coverage",
    "dominance": "dominance",
    "at_equal": "mean height where both are",
}


def fights_table(found: Sequence[Fight]) -> list[Table]:
    """The measures of every contest; none without one."""
    if not found:
        return []
    head = ["contest", "quality", "against", "measure", "merging", "sampling"]
    head += ["difference [95 %]", "ahead"]
    lines = []
    for fight in found:
        for name, title in MEASURES.items():
            measure: Compared = getattr(fight.result, name)
            line = [fight.sides.title, fight.up, fight.across, title]
            line += [_number(measure.ours), _number(measure.theirs)]
            ahead = "" if math.isnan(measure.low) else AHEAD[measure.ahead]
            lines.append([*line, apart(measure.difference, measure.low, measure.high), ahead])
    return [
        Table(
            "A fair contest: merging against sampling",
            "Merges with one sampler (and alpha 1 there) against the instruct model with every sampler. "
            "Area: between 0 and the steps over a side's points. Coverage: that area within the box around "
            "all points. Dominance: a side's share of the points that no other beats. Mean height: how much "
            "more quality at an equal value of what it is against. Intervals: paired bootstrap over "
            "questions; docs/contest.md.",
            head,
            lines,
        )
    ]


def tuned_table(found: Sequence[Tuned]) -> list[Table]:
    """Equal tuning, and what the naive comparison would have said."""
    if not found:
        return []
    head = ["contest", "number", "best of", "merging", "sampling", "difference [95 %]", "ahead"]
    head += ["naive: best against best", "naive verdict"]
    lines = []
    for tuned in found:
        result = tuned.result
        line = [tuned.sides.title, tuned.metric, f"{result.m}"]
        line += [_number(result.ours), _number(result.theirs)]
        for gain in (result.difference, result.naive):
            line += [str(gain), AHEAD[gain.ahead]]
        lines.append(line)
    return [
        Table(
            "Equal tuning",
            "The best of as many settings of either side, chosen on one half of the questions and judged on "
            "the other, over seeded halves. Naive: the best of all against the best of all, judged on the "
            "questions that they were chosen on.",
            head,
            lines,
        )
    ]


def portfolio_table(found: Sequence[FamilyPortfolio]) -> list[Table]:
    """The best way to spend k samples over a family's rows."""
    if not found:
        return []
    head = ["family", "task", "k", "spend", "portfolio", "best single row", "alone"]
    head += ["difference [95 %]", "is it real?", "where it was chosen", "questions"]
    lines = []
    for one in found:
        result = one.result
        if result is None:
            line = [one.family, one.task, f"{one.k}", f"none: {one.why_not}", *[""] * 7]
            lines.append(line)
            continue
        single = "" if result.single is None else one.rows[result.single]
        gain = result.difference
        line = [
            one.family,
            one.task,
            f"{one.k}",
            one.split + ("" if result.exact else " (searched)"),
        ]
        line += [_number(result.value), single, _number(result.single_value)]
        line += [
            "" if gain is None else str(gain),
            "" if gain is None else {1: "yes", 0: "open", -1: "no, worse"}[gain.ahead],
            _number(result.naive),
            f"{result.questions}" + (f", {result.left_out} left out" if result.left_out else ""),
        ]
        lines.append(line)
    left = [f"{one.family}, {one.task}: {text}" for one in found for text in one.left_out]
    return [
        Table(
            "Portfolios: k samples spent over several rows",
            "The chance that at least one of k samples is right when they are spent over several rows, chosen "
            "on other questions than it is judged on, as the best single row is. (searched): too many "
            "splits to try them all." + (f" Left out: {'; '.join(left)}." if left else ""),
            head,
            lines,
        )
    ]


def forecast_table(found: Sequence[Forecast], families: bool) -> list[Table]:
    """pass@k beyond the samples."""
    if not found:
        return []
    head = ["row", "task", "measured", *(f"extrapolated pass@{k} [95 %]" for k in KS)]
    lines = []
    for one in found:
        row, value = one.row, one.row.values[one.task].get(f"pass@{one.measured}")
        measured = math.nan if value is None else value.value
        beyond = {e.k: f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]" for e in one.beyond}
        line = [row.point.id if families else row.point.label, one.task]
        line.append(f"pass@{one.measured} {_number(measured)}")
        lines.append([*line, *(beyond.get(k, "") for k in KS)])
    return [
        Table(
            "A larger k, extrapolated",
            "Not measured: a model of the questions (impossible ones, two beta distributions), fitted to the "
            "samples that there are. How rare a right sample is where none was seen, few samples do not tell; "
            "the intervals say so.",
            head,
            lines,
        )
    ]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
