"""Differences between rows as tables: a word for each number that readers look for, and all the rest folded.

(table,) = baseline_table(to_instruct(rows, columns), Instruct())
table.rows[0]      # ["alpha=0.7", "pass@10", "better", "+0.059 [+0.021, +0.098]"]
table.folded.rows  # every number, with p-values and what would settle it
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hm_metrics.answer_names import AVERAGE
from hm_metrics.definitions import GLOBAL, LOCAL, at_k
from hm_metrics.judged_definitions import DISTINCT_K, FULFILLMENT, OVER_REFUSAL, UNSAFE_COMPLIANCE
from hm_metrics.report.baseline import Baseline
from hm_metrics.report.comparisons import Comparison
from hm_metrics.report.leaderboard import BoardColumn
from hm_metrics.report.page import Table

WORDS = "Better and worse are real at the 5 % level, after Holm's correction over the rows; open may be chance."
# What a reader looks for first, beside pass@k; other numbers are folded away where a task has one of these.
FOREMOST = {
    LOCAL,
    GLOBAL,
    "distinct_programs",
    DISTINCT_K,
    FULFILLMENT,
    OVER_REFUSAL,
    UNSAFE_COMPLIANCE,
    AVERAGE,
}


def baseline_table(found: Sequence[Comparison], baseline: Baseline) -> list[Table]:
    """Differences to the instruct models, or to what the reader named."""
    return differences(
        found,
        f"Differences to {baseline.words}",
        f"Ours less that of {baseline.words}, paired question by question.",
    )


def samplers_table(found: Sequence[Comparison]) -> list[Table]:
    """Merges against their instruct models with other samplers."""
    return differences(
        found,
        "Merging against other samplers",
        "Each merge against its instruct model with another sampler (a higher temperature, min-p, "
        "top-n-sigma, ...): does merging beat turning those knobs? Read the frontier figures beside it: one "
        "side may pay more in another number.",
    )


def all_differences(found: Sequence[Comparison]) -> Table:
    """Every number of every row, with p-values and what would settle it."""
    several = len({comparison.row.point.family for comparison in found}) > 1
    head = ["row", "against", "number", "difference [95 %]", "p", "p (Holm)", "questions"]
    head += ["is it real?", "protocol differs in"]
    return Table(
        f"All {len(found)} differences, with p-values and what would settle the open ones",
        "p: permutation test; Holm: corrected over the rows that are compared with one model in one number. "
        "Where the difference is open, the last but one column says how many questions of this kind, or "
        "samples of these, would settle it with a power of 80 %, if the difference is what it seems.",
        head,
        [_line(comparison, several) for comparison in found],
    )


def differences(found: Sequence[Comparison], title: str, help_text: str) -> list[Table]:
    """One table with a word for each of the foremost numbers, and all differences folded beneath it; none
    without comparisons."""
    if not found:
        return []
    whole = all_differences(found)
    several = len({comparison.against.point.label for comparison in found}) > 1
    head = ["row", *(["against"] if several else []), "number", "verdict", "difference [95 %]"]
    foremost, lines = _foremost([comparison.measure for comparison in found]), []
    for comparison, line in zip(found, whole.rows, strict=True):
        if comparison.measure in foremost:
            row, against, number, difference, *_ = line
            named = [row, *([against] if several else []), number]
            lines.append([*named, _word(comparison), difference])
    return [Table(title, f"{help_text} {WORDS}", head, lines, whole)]


def _foremost(measures: Sequence[BoardColumn]) -> set[BoardColumn]:
    """pass@k and what FOREMOST has of each task; the first number of a task that has neither."""
    found: set[BoardColumn] = set()
    for task in dict.fromkeys(measure.task for measure in measures):
        of_task = [measure for measure in measures if measure.task == task]
        named = [
            m for m in of_task if m.metric in FOREMOST or (at_k(m.metric) or ("",))[0] == "pass"
        ]
        found.update(named or of_task[:1])
    return found


def _word(comparison: Comparison) -> str:
    if comparison.difference is None:
        return "no pair"
    if not comparison.is_real:
        return "open"
    gain = (comparison.difference.estimate > 0) == comparison.measure.higher_is_better
    return "better" if gain else "worse"


def _line(comparison: Comparison, families: bool) -> list[str]:
    found, point = comparison.difference, comparison.row.point
    names = [
        point.id if families else point.label,
        comparison.against.point.label,
        comparison.measure.key,
    ]
    differs = ", ".join(comparison.differs)
    if found is None:
        return [*names, "not compared", "", "", "", comparison.why_not, differs]
    real = "yes" if comparison.is_real else "open"
    if real == "open" and comparison.settles:
        real += f": {comparison.settles} would settle it"
    elif real == "open" and comparison.settled:
        real = "open: alone it would be, corrected for the others it is not"
    questions = f"{found.questions}" + (f", {found.left_out} left out" if found.left_out else "")
    return [
        *names,
        str(found),
        p_value(found.p_value),
        p_value(comparison.adjusted),
        questions,
        real,
        differs,
    ]


def p_value(value: float) -> str:
    """To three digits; `none` where there is none."""
    if math.isnan(value):
        return "none"
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
