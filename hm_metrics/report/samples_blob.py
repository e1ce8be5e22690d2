"""The samples of a question, packed small enough that a report of 200,000 of them is one file.

    >>> right, empty = PageSample("def f(): ...", base="pass", plus="pass"), PageSample("", base="fail")
    >>> question = Question("mbpp", "Mbpp/2", "Write f.", {"alpha 0.7": [right, empty]})
    >>> pack(question, {"alpha 0.7": 3}).counts
    [[3, 1, 2, 2]]

A question's samples are one piece of JSON, deflated and in base64: the page unpacks a question when it
is opened and no other. Equal outcomes (text, program and verdicts) are kept once and named by number;
they are sorted by text, so that programs that differ in a name lie side by side within deflate's
window of 32 KiB. Samples of one question by many models shrink to a fifth to a tenth of their size.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hm_metrics.verdict import FAIL, PASS, TIMEOUT

SCORED = {PASS, FAIL, TIMEOUT}
LEVEL = 9  # of deflate: 2 % smaller than 6 here, and still milliseconds a question


@dataclass(frozen=True)
class PageSample:
    """One output of a model: as it came, the program made of it, and what was said about it.

    `base` and `plus` are verdict words ("pass", "fail", ...; "" where the task has none); `reason` is
    free text.
    """

    text: str
    program: str = ""
    base: str = ""
    plus: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Question:
    """A question and what each row answered, `samples` by `PageRow.id`."""

    task: str
    question: str
    prompt: str
    samples: Mapping[str, Sequence[PageSample]] = field(default_factory=dict)
    entry_point: str = ""


@dataclass(frozen=True)
class Packed:
    """A question as the page carries it.

    Attributes:
        data: base64 of zlib-deflated JSON; letters that mean nothing in HTML.
        counts: [row number, passed, scored, samples] of each row that answered. Scored are samples
            whose verdicts say pass, fail or timeout; a task with other verdicts has none.
    """

    data: str
    counts: list[list[int]]


def pack(question: Question, numbers: Mapping[str, int]) -> Packed:
    """Pack a question; `numbers` gives the number of each row by its id."""
    rows = {numbers[row]: samples for row, samples in sorted(question.samples.items())}
    outcomes = sorted({_outcome(sample) for samples in rows.values() for sample in samples})
    place = {outcome: at for at, outcome in enumerate(outcomes)}
    reasons = sorted({outcome[4] for outcome in outcomes})
    reason = {text: at for at, text in enumerate(reasons)}
    content = {
        "prompt": question.prompt,
        "entry_point": question.entry_point,
        "reasons": reasons,
        # A program that is the whole text, as most are, is written as 0.
        "outcomes": [
            [text, 0 if program == text else program, base, plus, reason[why]]
            for text, program, base, plus, why in outcomes
        ],
        "rows": {row: [place[_outcome(s)] for s in samples] for row, samples in rows.items()},
    }
    # ASCII: half of a surrogate pair, which models do write, has no other form that can be stored.
    plain = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return Packed(
        data=base64.b64encode(zlib.compress(plain, LEVEL)).decode("ascii"),
        counts=[[row, *_count(samples)] for row, samples in sorted(rows.items()) if samples],
    )


def _outcome(sample: PageSample) -> tuple[str, str, str, str, str]:
    return sample.text, sample.program, sample.base, sample.plus, sample.reason


def _count(samples: Sequence[PageSample]) -> tuple[int, int, int]:
    """How many passed every kind of test that they have, were scored, and are there."""
    verdicts = [{sample.base, sample.plus} - {""} for sample in samples]
    scored = [words for words in verdicts if words and words <= SCORED]
    return sum(words == {PASS} for words in scored), len(scored), len(samples)
