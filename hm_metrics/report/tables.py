"""The paper's numbers beside ours as a table, and what a report comes to in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hm_metrics.judged_definitions import FULFILLMENT
from hm_metrics.report.baseline import Baseline, Instruct
from hm_metrics.report.comparisons import Comparison
from hm_metrics.report.differences import p_value
from hm_metrics.report.leaderboard import BoardColumn, main_number, text
from hm_metrics.report.page import Table
from hm_metrics.report.paper import HEAD, beside, published, sources
from hm_metrics.report.protocol import DATE, MAY_DIFFER, comparable
from hm_metrics.report.rows import Row

# A base model is asked in another style by its nature; that alone is no ground for a warning.
BY_NATURE = {"prompt style", "prompts", DATE}


def paper_table(rows: Sequence[Row]) -> list[Table]:
    """Ours beside the paper's; none for families that it did not measure."""
    lines = beside(rows)
    if not lines:
        return []
    where = " ".join(f"{source.metric}: {source.what}." for source in sources().values())
    return [Table("Next to the paper", f"Errors are ours. {where}", list(HEAD), lines)]


def sentences(
    rows: Sequence[Row],
    columns: Sequence[BoardColumn],
    found: Sequence[Comparison],
    baseline: Baseline,
) -> list[str]:
    """What a reader wants to know first: what was measured, and is there a gain."""
    words = [_what(rows)]
    for measure in _headline(rows, columns):
        families = dict.fromkeys(r.point.family for r in rows if measure.of(r) is not None)
        for family in families:
            ours = [r for r in rows if r.point.family == family and measure.of(r) is not None]
            words.append(_answer(family, measure, ours, found, baseline))
    pairs = {row.point.family: row for row in rows if row.point.model.alpha}
    for family, first in pairs.items():
        alphas = {r.point.model.alpha for r in rows if r.point.family == family}
        if len(alphas) == 1:
            words.append(
                f"{family} was measured at one alpha alone, so that nothing says what merging wins. "
                "Run the same command with alpha=1 (the instruct model) and other alphas, or hm-sweep, "
                "and name all result folders to hm-report."
            )
        if known := published(first.point.model):
            words.append(f"The paper measured this pair ({known.name}): see Next to the paper.")
    return words


def _what(rows: Sequence[Row]) -> str:
    families = dict.fromkeys(row.point.family for row in rows)
    parts = []
    for task in dict.fromkeys(task for row in rows for task in row.values):
        facts = [row.facts[task] for row in rows if task in row.facts]
        questions = sorted({f["questions"] for f in facts if "questions" in f}, key=len)
        samples = sorted({f.get("samples a question", "1") for f in facts}, key=len)
        parts.append(
            f"{task} ({_counted(questions, 'question')}, {_counted(samples, 'sample')} each)"
        )
    number = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
    return f"{number} of {', '.join(families)}, on {' and '.join(parts)}."


def _counted(numbers: Sequence[str], what: str) -> str:
    return f"{'/'.join(numbers)} {what}{'' if list(numbers) == ['1'] else 's'}"


def _headline(rows: Sequence[Row], columns: Sequence[BoardColumn]) -> list[BoardColumn]:
    """One number a task: what it is about, the failure to refuse, else its first."""
    chosen = []
    for task in dict.fromkeys(column.task for column in columns):
        of_task = [column for column in columns if column.task == task and column.compared]
        wanted = (main_number(rows, task), FULFILLMENT)
        named = [column for column in of_task if column.metric in wanted]
        chosen += (named or of_task)[:1]
    return chosen


def _answer(
    family: str,
    measure: BoardColumn,
    rows: Sequence[Row],
    found: Sequence[Comparison],
    baseline: Baseline,
) -> str:
    known = [row for row in rows if not math.isnan(_value(measure, row))]
    if not known:
        return f"{family}: {measure.key} is unscored."
    known, others = comparable(known, lambda row: [row.facts[measure.task]])
    if len(known) == 1:
        shown = f"{family}, {known[0].point.label}: {measure.key} is {text(measure.of(known[0]))}."
        aside = _aside(known, others, measure)
        return " ".join(word for word in (shown, measure.help, aside) if word)
    if len({_value(measure, row) for row in known}) == 1:
        shown = f"{family}: all {len(known)} rows have the same {measure.key}"
        return f"{shown}, {text(measure.of(known[0]))}. {_aside(known, others, measure)}".rstrip()
    sign = 1.0 if measure.higher_is_better else -1.0
    best = max(known, key=lambda row: sign * _value(measure, row))
    word = "highest" if measure.higher_is_better else "lowest"
    lead = (
        f"{family}: {best.point.label} has the {word} {measure.key} of {len(known)} rows, "
        f"{text(measure.of(best))}"
    )
    aside = f" {_aside(known, others, measure)}".rstrip()
    theirs = baseline.of(best, known, measure.task)
    if theirs is best:
        kind = "merge" if isinstance(baseline, Instruct) else "other row"
        return f"{lead}; it is {baseline.words}, so that no {kind} shows a gain.{aside}"
    if theirs is None:
        return f"{lead}. {baseline.missing}{aside}"
    pairs = [c for c in found if c.row is best and c.against is theirs and c.measure is measure]
    if not pairs or pairs[0].difference is None:
        why = f" ({pairs[0].why_not})" if pairs else ""
        return f"{lead}. No paired comparison with {baseline.words}{why}.{aside}"
    return f"{lead}; {pairs[0].difference} against {baseline.words}. {_verdict(pairs[0])}{aside}"


def _aside(
    known: Sequence[Row], others: Sequence[tuple[Row, list[str]]], measure: BoardColumn
) -> str:
    """In what the ranked rows differ, and which were not ranked with them."""
    facts = [row.facts[measure.task] for row in known]
    differing = [f for f in sorted(MAY_DIFFER) if len({found.get(f) for found in facts}) > 1]
    words = [f"These rows differ in {' and '.join(differing)}."] if differing else []
    words += [
        f"Not ranked among them, as measured otherwise ({', '.join(which)}): {row.point.label}."
        for row, which in others
    ]
    return " ".join(words)


def _value(measure: BoardColumn, row: Row) -> float:
    value = measure.of(row)
    return math.nan if value is None else value.value


def _verdict(comparison: Comparison) -> str:
    corrected = f"corrected p = {p_value(comparison.adjusted)}"
    nature = BY_NATURE if "prompt style" in comparison.differs else set()
    differs = [fact for fact in comparison.differs if fact not in nature]
    but = f" Mind that the protocols differ in {', '.join(differs)}." if differs else ""
    if comparison.is_real:
        return f"It is real at the 5 % level ({corrected}).{but}"
    settles = f" What would settle it: {comparison.settles}." if comparison.settles else ""
    return f"It is open ({corrected}).{settles}{but}"
