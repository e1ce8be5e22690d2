"""A task's log of samples, read once and line by line: values of each question, and where it stands.

    log = read(run)                       # texts are not kept
    log.values["pass@10"], log.at("Mbpp/2")

pass@k, and all numbers of a task that wraps another, are computed anew from the verdicts and grades, and
compared with what the results say by whoever asks.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hm_metrics.answer_names import DISTINCT, AnswerName
from hm_metrics.answer_numbers import Asked, distinct_answers, numbers_of, scored
from hm_metrics.definitions import AT_K, at_k
from hm_metrics.fulfillment import Tally
from hm_metrics.judged_definitions import FULFILLMENT
from hm_metrics.judgment import tally
from hm_metrics.logs.labelled import of_log
from hm_metrics.logs.results import Headline, TaskRun
from hm_metrics.logs.samples import LogError, Logged, parsed
from hm_metrics.pass_at_k import pass_at_k
from hm_metrics.verdict import UNSCORED, Verdict
from hm_metrics.xstest import RATES
from hm_models.files.text_files import Line, json_at

CODE, ANSWERS, REFUSALS, OTHER = "code", "answers", "refusals", "other"
PASS, SCORED = "pass", "scored"  # of a log's counts
CONTRASTS = "contrasts"  # XSTest's: refusals of what is safe, compliances with what is not


@dataclasses.dataclass(frozen=True)
class Log:
    """One log, without its texts.

    Attributes:
        file: where it is.
        kind: CODE (verdicts on programs), ANSWERS (a wrapped task's grades), REFUSALS and CONTRASTS
            (judgments, of SORRY-Bench and XSTest) or OTHER.
        questions: [G] in the order of the log.
        values: metric to [G] floats, nan where a question has none. With several filters a metric has
            its filter behind a comma; of ANSWERS those of the headline's filter have none.
        counts: `correct` samples of each of AT_K and those `scored`, [G] ints each; of CODE, and of
            ANSWERS where the headline's metric is 0 or 1.
        tallies: category and tally of each question, of REFUSALS and CONTRASTS: of answers that fulfil a
            request; of those that refuse a safe prompt or comply with an unsafe one.
        n_samples: of the question with the fewest.
        samples, unscored: over all questions, and how many of them have no verdict.
        digest: of the questions as the harness hashes them, in any order.
        offsets: of a question's lines in the file.
        headline: ANSWERS only.
        binary: which metrics of a wrapped task are 0 or 1, "" for the headline's.
    """

    file: Path
    kind: str
    questions: list[str]
    values: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]
    tallies: list[tuple[str, Tally]]
    n_samples: int
    samples: int
    unscored: int
    digest: str
    offsets: dict[str, list[int]]
    headline: Headline | None
    binary: frozenset[str]

    def counted(self, prefix: str = PASS) -> dict[str, tuple[int, int]]:
        """Correct and scored samples of each question, by a rule of AT_K; {} where nobody counted."""
        if prefix not in self.counts:
            return {}
        numbers = zip(self.questions, self.counts[prefix], self.counts[SCORED], strict=True)
        return {name: (int(correct), int(scored)) for name, correct, scored in numbers}

    @property
    def computed(self) -> dict[str, np.ndarray]:
        """Those of the values that were computed anew, from verdicts or grades."""
        is_one = {CODE: at_k, ANSWERS: AnswerName.of}.get(self.kind, lambda name: None)
        return {name: each for name, each in self.values.items() if is_one(name)}

    def at(self, question: str) -> list[Logged]:
        """A question's lines, read again: one for each filter, the headline's first; none for a question
        it has not."""
        return list(map(Logged, json_at(self.file, self.offsets.get(question, []))))

    def lines(self) -> Iterator[Logged]:
        """The first line of each question, read again."""
        for offsets in self.offsets.values():
            yield from map(Logged, json_at(self.file, offsets[:1]))


def read(run: TaskRun) -> Log:
    """The log of a run, which must have one.

    Raises:
        LogError: it cannot be read, or a line is none of the harness's.
    """
    assert run.samples is not None
    reader = _Reader(run)
    for _ in parsed(run.samples, reader.add):
        pass
    return reader.log(run.samples)


def _kind_of(line: Logged) -> str:
    """By what was found of its samples."""
    if FULFILLMENT in line.record.get("metrics", ()) and "category" in line.doc:
        return REFUSALS
    if RATES.keys() & line.record.get("metrics", ()) and "label" in line.doc:
        return CONTRASTS
    if line.several or not all(isinstance(text, str) for text in line.samples):
        return OTHER
    return CODE if line.verdicts else ANSWERS if line.grades else OTHER


class _Reader:
    """What is kept of the lines so far."""

    def __init__(self, run: TaskRun) -> None:
        self.run = run
        self.asked, self.binary = _asked(run)
        self.kind = ""
        self.offsets: dict[str, list[int]] = defaultdict(list)
        self.found: dict[str, dict[str, float]] = defaultdict(dict)  # metric to question to value
        self.filters: dict[str, set[str]] = defaultdict(set)
        self.counts: dict[str, dict[str, int]] = defaultdict(dict)
        self.tallies: dict[str, tuple[str, Tally]] = {}
        self.seen: dict[str, set[str]] = defaultdict(set)  # question to filters
        self.n_samples: list[int] = []
        self.unscored: Counter[str] = Counter()  # by filter
        self.hashes: set[str] = set()

    def add(self, at: Line) -> None:
        line = Logged(at.value)
        question = line.question
        if not self.kind:
            self.kind = _kind_of(line)
        first = not self.seen[question]
        again = line.filter in self.seen[question] if self.kind == ANSWERS else not first
        if again and self.kind != OTHER:
            raise LogError(f"question {question[:80]!r} is there twice")
        self.seen[question].add(line.filter)
        self.hashes.add(str(line.record.get("doc_hash") or question))
        is_headline = self.kind == ANSWERS and line.filter == self._headline.filter
        self.offsets[question].insert(0 if is_headline else len(self.offsets[question]), at.offset)
        if self.kind == ANSWERS:
            self._answers(question, line, is_headline)
            return
        if self.kind == CODE:
            self._code(question, line.verdicts)
        elif self.kind == REFUSALS:
            self._refusals(question, line)
        elif self.kind == CONTRASTS:
            self._contrasts(question, line)
        elif first:
            self.n_samples.append(1 if line.several else len(line.samples))
        self._numbers(question, line)

    @property
    def _headline(self) -> Headline:
        if self.run.headline is None:
            raise LogError("its samples have grades, and its results name no headline")
        return self.run.headline

    def _answers(self, question: str, line: Logged, is_headline: bool) -> None:
        grades, headline = line.grades, self._headline
        if not grades:
            raise LogError("its samples have no grades, those of the lines before have")
        known = scored(grades)
        lacking = {metric or headline.metric for metric in self.binary}
        for graded in known:
            if missing := lacking - graded.scores.keys():
                raise LogError(f"a grade has no {sorted(missing)[0][:80]}")
        of_filter = "" if is_headline else f",{line.filter}"
        self.unscored[line.filter] += len(grades) - len(known)
        for metric, binary in self.binary.items():
            made = numbers_of(grades, metric or headline.metric, self.asked, binary)
            for number, value in made.items():
                self.found[f"{metric}/{number}".lstrip("/") + of_filter][question] = value
        self.found[DISTINCT + of_filter][question] = distinct_answers(grades)
        for name, value in line.numbers.items():
            if not AnswerName.of(name):  # else computed anew
                self.found[name + of_filter][question] = float(value)
        if is_headline:
            self.n_samples.append(len(grades))
            self.counts[SCORED][question] = len(known)
            if self.binary[""]:
                right = sum(graded.scores[headline.metric] == 1.0 for graded in known)
                self.counts[PASS][question] = right

    def _code(self, question: str, verdicts: list[Verdict]) -> None:
        if not verdicts:
            raise LogError("its samples have no verdicts, those of the lines before have")
        known = [v for v in verdicts if UNSCORED not in (v.base_status, v.plus_status)]
        self.n_samples.append(len(verdicts))
        self.unscored[""] += len(verdicts) - len(known)
        self.counts[SCORED][question] = len(known)
        for prefix, rule in AT_K.items():
            correct = self.counts[prefix][question] = sum(map(rule.is_correct, known))
            for k in self.asked.ks:
                if k <= len(known):
                    self.found[f"{prefix}@{k}"][question] = pass_at_k(len(known), correct, k)

    def _refusals(self, question: str, line: Logged) -> None:
        answers = of_log(line)
        found = tally([a.judgment for a in answers if a.judgment])
        self.n_samples.append(len(answers))
        self.unscored[""] += found.unscored
        self.tallies[question] = (answers[0].category, found)
        if found.scored:
            self.found[FULFILLMENT][question] = found.fulfilled / found.scored

    def _contrasts(self, question: str, line: Logged) -> None:
        answers = of_log(line)
        judgments = [answer.judgment for answer in answers if answer.judgment]
        self.n_samples.append(len(answers))
        self.unscored[""] += sum(judgment.score is None for judgment in judgments)
        for name, (label, count) in RATES.items():
            if label == line.doc["label"]:
                found = count(judgments)
                self.tallies.setdefault(question, (answers[0].category, found))
                if found.scored:
                    self.found[name][question] = found.fulfilled / found.scored

    def _numbers(self, question: str, line: Logged) -> None:
        for metric, value in line.numbers.items():
            if self.kind != CODE or metric.partition("@")[0] not in AT_K:  # else computed anew
                self.found[f"{metric},{line.filter}"][question] = float(value)
                self.filters[metric].add(line.filter)

    def log(self, file: Path) -> Log:
        questions = list(self.offsets)
        if self.kind == ANSWERS and len(self.n_samples) < len(questions):
            lacking = next(q for q in questions if self._headline.filter not in self.seen[q])
            raise LogError(
                f"{file}: question {lacking[:80]!r} has no line of the filter {self._headline.filter}, "
                "which the results name as their headline."
            )
        values = {}
        for key, found in self.found.items():
            metric, comma, _ = key.rpartition(",")
            name = metric if comma and len(self.filters[metric]) == 1 else key
            values[name] = np.array([found.get(q, np.nan) for q in questions])
        return Log(
            file=file,
            kind=self.kind,
            questions=questions,
            values=values,
            counts={
                key: np.array([found[q] for q in questions]) for key, found in self.counts.items()
            },
            tallies=[self.tallies[q] for q in questions if q in self.tallies],
            n_samples=min(self.n_samples, default=0),
            samples=sum(self.n_samples),
            unscored=max(self.unscored.values(), default=0),
            digest=hashlib.sha256("\n".join(sorted(self.hashes)).encode()).hexdigest(),
            offsets=dict(self.offsets),
            headline=self.run.headline if self.kind == ANSWERS else None,
            binary=frozenset(metric for metric, found in self.binary.items() if found),
        )


def _asked(run: TaskRun) -> tuple[Asked, dict[str, bool]]:
    """The k and thresholds that the results have; and of a wrapped task's metrics ("": the headline's)
    whether they are 0 or 1."""
    found = [AnswerName.of(key.partition(",")[0]) for key in run.values]
    names = [name for name in found if name and name.number != DISTINCT]
    binary = {"": False}
    for name in names:
        binary[name.metric] = binary.get(name.metric, False) or name.prefix == "pass"
    ks = sorted({name.k for name in names if name.prefix == "pass"})
    return Asked(ks, sorted({n.threshold for n in names if n.prefix == "g_pass"})), binary
