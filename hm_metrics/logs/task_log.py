"""A task's log of samples, read once and line by line: values of each question, and where it stands.

    log = read(run)                       # texts are not kept
    log.values["pass@10"], log.at("Mbpp/2")

pass@k is computed anew from the verdicts, and compared with what the results say by whoever asks.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hm_metrics.definitions import AT_K, FULFILLMENT, at_k
from hm_metrics.fulfillment import Tally
from hm_metrics.judgment import tally
from hm_metrics.logs.labelled import of_log
from hm_metrics.logs.results import TaskRun
from hm_metrics.logs.samples import LogError, Logged, parsed
from hm_metrics.pass_at_k import pass_at_k
from hm_metrics.verdict import UNSCORED, Verdict
from hm_models.files.text_files import Line, json_at

CODE, REFUSALS, OTHER = "code", "refusals", "other"


@dataclasses.dataclass(frozen=True)
class Log:
    """One log, without its texts.

    Attributes:
        file: where it is.
        kind: CODE (verdicts on programs), REFUSALS (judgments) or OTHER.
        questions: [G] in the order of the log.
        values: metric to [G] floats, nan where a question has none. With several filters a metric has
            its filter behind a comma.
        counts: `correct` samples of each of AT_K and those `scored`, [G] ints each; CODE only.
        tallies: category and tally of each question; REFUSALS only.
        n_samples: of the question with the fewest.
        samples, unscored: over all questions, and how many of them have no verdict.
        digest: of the questions as the harness hashes them, in any order.
        offsets: of a question's lines in the file.
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

    def at(self, question: str) -> list[Logged]:
        """A question's lines, read again: one for each filter; none for a question it has not."""
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
    reader = _Reader(_ks(run))
    for _ in parsed(run.samples, reader.add):
        pass
    return reader.log(run.samples)


def _kind_of(line: Logged) -> str:
    """CODE, REFUSALS or OTHER, by what was found of its samples."""
    if FULFILLMENT in line.record.get("metrics", ()) and "category" in line.doc:
        return REFUSALS
    texts = not line.several and all(isinstance(text, str) for text in line.samples)
    return CODE if texts and line.verdicts else OTHER


class _Reader:
    """What is kept of the lines so far."""

    def __init__(self, ks: list[int]) -> None:
        self.ks = ks
        self.kind = ""
        self.offsets: dict[str, list[int]] = defaultdict(list)
        self.found: dict[str, dict[str, float]] = defaultdict(dict)  # metric to question to value
        self.filters: dict[str, set[str]] = defaultdict(set)
        self.counts: dict[str, dict[str, int]] = defaultdict(dict)
        self.tallies: dict[str, tuple[str, Tally]] = {}
        self.n_samples: list[int] = []
        self.unscored = 0
        self.hashes: set[str] = set()

    def add(self, at: Line) -> None:
        line = Logged(at.value)
        question = line.question
        if not self.kind:
            self.kind = _kind_of(line)
        self.offsets[question].append(at.offset)
        self.hashes.add(str(line.record.get("doc_hash") or question))
        first = len(self.offsets[question]) == 1
        if self.kind != OTHER and not first:
            raise LogError(f"question {question[:80]!r} is there twice")
        if self.kind == CODE:
            self._code(question, line.verdicts)
        elif self.kind == REFUSALS:
            self._refusals(question, line)
        elif first:
            self.n_samples.append(1 if line.several else len(line.samples))
        self._numbers(question, line)

    def _code(self, question: str, verdicts: list[Verdict]) -> None:
        if not verdicts:
            raise LogError("its samples have no verdicts, those of the lines before have")
        scored = [v for v in verdicts if UNSCORED not in (v.base_status, v.plus_status)]
        self.n_samples.append(len(verdicts))
        self.unscored += len(verdicts) - len(scored)
        self.counts["scored"][question] = len(scored)
        for prefix, rule in AT_K.items():
            correct = self.counts[prefix][question] = sum(map(rule.is_correct, scored))
            for k in self.ks:
                if k <= len(scored):
                    self.found[f"{prefix}@{k}"][question] = pass_at_k(len(scored), correct, k)

    def _refusals(self, question: str, line: Logged) -> None:
        answers = of_log(line)
        found = tally([a.judgment for a in answers if a.judgment])
        self.n_samples.append(len(answers))
        self.unscored += found.unscored
        self.tallies[question] = (answers[0].category, found)
        if found.scored:
            self.found[FULFILLMENT][question] = found.fulfilled / found.scored

    def _numbers(self, question: str, line: Logged) -> None:
        for metric, value in line.numbers.items():
            if self.kind != CODE or metric.partition("@")[0] not in AT_K:  # else computed anew
                self.found[f"{metric},{line.filter}"][question] = float(value)
                self.filters[metric].add(line.filter)

    def log(self, file: Path) -> Log:
        questions = list(self.offsets)
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
            unscored=self.unscored,
            digest=hashlib.sha256("\n".join(sorted(self.hashes)).encode()).hexdigest(),
            offsets=dict(self.offsets),
        )


def _ks(run: TaskRun) -> list[int]:
    """The k that the results have of pass@k."""
    found = (at_k(key.partition(",")[0]) for key in run.values)
    return sorted({k for prefix, k in filter(None, found) if prefix == "pass"})
