"""Is it real? Differences between rows, question by question, and what would settle open ones.

    found = to_instruct(rows, columns)

Each row is compared with the instruct model (alpha 1) of its family with its sampler, on the
questions that both have. Holm's correction is over the rows that share that model and that number.
Runs on other data or by another judge are no pairs, which is said.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from hm_metrics.answer_names import DISTINCT
from hm_metrics.comparison import (
    Difference,
    holm,
    paired_difference,
    paired_statistic_difference,
)
from hm_metrics.definitions import GLOBAL, LOCAL, at_k
from hm_metrics.diversity import QuestionSums, global_over_questions
from hm_metrics.logs.models import INSTRUCT
from hm_metrics.power import questions_to_settle, samples_to_settle
from hm_metrics.report.baseline import Baseline, Instruct, differing
from hm_metrics.report.leaderboard import BoardColumn
from hm_metrics.report.protocol import EQUALITY, same_questions
from hm_metrics.report.rows import Row
from hm_metrics.report.samplers import is_colder
from hm_metrics.report.vectors import Embedded
from hm_models.samples.sampler import Sampler

LEVEL = 0.05  # below this a corrected p-value is called a real difference


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One number of two rows.

    Attributes:
        difference: ours less theirs; None where they are no pair.
        why_not: the reason then.
        adjusted: the p-value after Holm's correction; nan without one.
        differs: facts of the protocol that are not the same on both sides.
        settles: what would settle an open difference, in words; empty where it is settled.
    """

    row: Row
    against: Row
    measure: BoardColumn
    difference: Difference | None
    why_not: str
    adjusted: float
    differs: list[str]
    settles: str

    @property
    def is_real(self) -> bool:
        """Whether the corrected p-value tells it from chance."""
        return self.adjusted < LEVEL

    @property
    def settled(self) -> bool:
        """Whether the 95 % interval excludes 0."""
        found = self.difference
        return found is not None and found.ahead != 0


def to_instruct(rows: Sequence[Row], columns: Sequence[BoardColumn]) -> list[Comparison]:
    """Every row against its instruct model, in every number that is compared."""
    return to_baseline(rows, columns, Instruct())


def to_baseline(
    rows: Sequence[Row], columns: Sequence[BoardColumn], baseline: Baseline
) -> list[Comparison]:
    """Every row against its baseline, in every number that is compared."""
    return _corrected(
        compare(row, theirs, measure)
        for row in rows
        for measure in columns
        if measure.compared
        and (theirs := baseline.of(row, rows, measure.task)) is not None
        and theirs is not row
        and _scored(row, measure)
        and _scored(theirs, measure)
    )


def to_other_samplers(rows: Sequence[Row], columns: Sequence[BoardColumn]) -> list[Comparison]:
    """Every merge against its instruct model with other samplers: does it beat turning those knobs?

    One that is colder and nothing else is no rival: it says the same things more often.
    """
    return _corrected(
        compare(row, theirs, measure)
        for row in rows
        if row.point.model.alpha and not row.point.model.is_base_or_instruct
        for theirs in rows
        if theirs.point.family == row.point.family
        and theirs.point.model.number == INSTRUCT
        and _rivals(row.point.sampler, theirs.point.sampler)
        for measure in columns
        if measure.compared and _scored(row, measure) and _scored(theirs, measure)
    )


def _rivals(ours: Sampler | None, theirs: Sampler | None) -> bool:
    if ours is None or theirs is None or ours == theirs:
        return False
    return not is_colder(theirs, than=ours)


def _scored(row: Row, measure: BoardColumn) -> bool:
    value = measure.of(row)
    return value is not None and not math.isnan(value.value)


def compare(row: Row, theirs: Row, measure: BoardColumn) -> Comparison:
    """One number of two rows; p-values are not corrected yet."""
    task = measure.task
    differs = differing(row, theirs, task)
    why_not = same_questions(row.facts.get(task, {}), theirs.facts.get(task, {}))
    if measure.metric in (LOCAL, GLOBAL) and "embedder" in differs:
        why_not = why_not or "another embedder"
    if EQUALITY in differs and measure.metric.startswith(("maj@", DISTINCT)):
        why_not = why_not or "other answers count as equal"
    difference, settles = None, ""
    if not why_not:
        if measure.metric == GLOBAL:
            difference = _global(row, theirs, task)
        elif (pair := aligned(row, theirs, measure)) is not None:
            difference = paired_difference(*pair)
            if difference.low <= 0 <= difference.high:
                settles = _what_settles(row, theirs, measure, pair)
    if difference is None:
        why_not = why_not or "no values by question"
    return Comparison(row, theirs, measure, difference, why_not, math.nan, differs, settles)


def _what_settles(
    row: Row, theirs: Row, measure: BoardColumn, pair: tuple[np.ndarray, np.ndarray]
) -> str:
    """How many questions, or samples of these questions, would tell with a power of 80 %."""
    questions = questions_to_settle(*pair)
    ways = [f"{questions:,} questions"] if questions else []
    prefix, k = at_k(measure.metric) or ("", 0)
    ours, other = (
        log.counted(prefix) if (log := side.logs.get(measure.task)) else {}
        for side in (row, theirs)
    )
    common = [name for name in ours if name in other and ours[name][1] and other[name][1]]
    if k and common:
        found = np.array([[*ours[name], *other[name]] for name in common]).T
        samples = samples_to_settle(found[0], found[2], found[[1, 3]], k=k)
        ways += [f"{samples:,} samples a question"] if samples else []
    return " or ".join(ways) if ways else "no number of questions (too close to 0)"


def aligned(row: Row, theirs: Row, measure: BoardColumn) -> tuple[np.ndarray, np.ndarray] | None:
    """[G] values of both, as in `by_question`; None where fewer than two questions are in both."""
    ours, other = by_question((row, theirs), measure)
    return (ours, other) if (~np.isnan(ours) & ~np.isnan(other)).sum() > 1 else None


def by_question(rows: Sequence[Row], measure: BoardColumn) -> np.ndarray:
    """[rows, questions] values over all questions that one of them has; nan where it has none."""
    each = [each_of(row, measure) or {} for row in rows]
    names = list(dict.fromkeys(name for found in each for name in found))
    return np.array([[found.get(name, np.nan) for name in names] for found in each])


def each_of(row: Row, measure: BoardColumn) -> dict[str, float] | None:
    """A row's value of each question, by its name."""
    value, log = measure.of(row), row.logs.get(measure.task)
    if value is None or log is None:
        return None
    each = value.of_each
    if each is None and measure.metric == LOCAL and (found := row.embedded.get(measure.task)):
        each = found.local
    return None if each is None else dict(zip(log.questions, map(float, each), strict=True))


def _global(row: Row, theirs: Row, task: str) -> Difference | None:
    ours, other = row.embedded.get(task), theirs.embedded.get(task)
    if ours is None or other is None:
        return None
    names = [_named(row, task, ours), _named(theirs, task, other)]
    common = [name for name in names[0] if name in names[1]]
    if len(common) < 3:
        return None
    first, second = (
        _rows(found.sums, [known[name] for name in common])
        for found, known in zip((ours, other), names, strict=True)
    )
    both = QuestionSums.joined([first, second])
    return paired_statistic_difference(
        lambda weights: global_over_questions(both, weights), len(common)
    )


def _named(row: Row, task: str, embedded: Embedded) -> dict[str, int]:
    questions = row.logs[task].questions
    return {questions[place]: number for number, place in enumerate(embedded.questions)}


def _rows(sums: QuestionSums, rows: list[int]) -> QuestionSums:
    return QuestionSums(sums.sums[rows], sums.squares[rows], sums.counts[rows])


def _corrected(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Holm's correction over the rows that are compared with one row in one number."""
    found = list(comparisons)
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for number, comparison in enumerate(found):
        # Methods are separate questions, each with its own alphas.
        method = comparison.row.point.model.method
        groups[comparison.against.point.id, comparison.measure.key, method].append(number)
    for numbers in groups.values():
        p_values = [d.p_value if (d := found[n].difference) else math.nan for n in numbers]
        for n, adjusted in zip(numbers, holm(p_values), strict=True):
            found[n] = dataclasses.replace(found[n], adjusted=adjusted)
    return found
