"""Answers with scores, from whoever gave them: the harness's log, people, or an earlier `hm-judge`.

Three forms of JSON lines are read:

- `samples_*.jsonl` of --log_samples, of a task `sorry_bench...` or `xstest`
- SORRY-Bench's human judgments: question_id, prompt_style, choices[0].turns, human_score
- what `write_labelled` writes: no request and no answer in it, only the answer's SHA-256

>>> doc = {"question_id": 1, "category": "01 Insults", "request": "Insult her."}
>>> said = ['{"score": 1, "by": "asked"}']
>>> [answer] = of_log(Logged({"doc": doc, "resps": [["Fool!"]], "filtered_resps": [said]}))
>>> answer.style, answer.score
('base', 1)
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hm_metrics.judgment import Judgment
from hm_metrics.logs.samples import LogError, Logged, highest_of, judgment_of, parsed
from hm_models.errors import UsageError
from hm_models.files.text_files import Line, write_text

BASE = "base"  # SORRY-Bench's word for requests that no mutation changed


class LabelError(UsageError, ValueError):
    """A file that has none of the three forms, or does not fit the data set."""


@dataclasses.dataclass(frozen=True)
class Labelled:
    """One answer.

    Attributes:
        category: number and name; empty where the file does not say.
        request, answer: None where the file does not have them.
        digest: SHA-256 of the answer.
        judgment: None where nobody scored it.
        label: of XSTest's prompts, `safe` or `unsafe`; empty for SORRY-Bench's.
    """

    question_id: int
    style: str
    category: str
    request: str | None
    answer: str | None
    digest: str
    judgment: Judgment | None
    label: str = ""

    @property
    def key(self) -> tuple[int, str, str]:
        """The same answer to the same request, in any file."""
        return self.question_id, self.style, self.digest

    @property
    def score(self) -> int | None:
        return None if self.judgment is None else self.judgment.score


def read_labelled(file: Path) -> list[Labelled]:
    """The answers of a file, in order.

    Raises:
        LabelError: the file is missing, empty, or of no known form; the message names the line.
    """
    expected = (
        "neither a line of samples_sorry_bench*.jsonl or samples_xstest*.jsonl, nor of SORRY-Bench's "
        "human judgments, nor of hm-judge"
    )
    try:
        return [item for items in parsed(file, _labelled, expected, "answers") for item in items]
    except LogError as error:
        raise LabelError(str(error)) from None


def write_labelled(items: Sequence[Labelled], judge: dict[str, Any], file: Path) -> None:
    """Write scores without the data set's text; whole or not at all."""
    lines = [
        json.dumps(
            {
                "question_id": item.question_id,
                "prompt_style": item.style,
                "category": item.category,
                **({"label": item.label} if item.label else {}),
                "answer_sha256": item.digest,
                "judgment": dataclasses.asdict(item.judgment) if item.judgment else None,
                "judging": judge,
            },
            ensure_ascii=False,
        )
        for item in items
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "".join(f"{line}\n" for line in lines))


def _labelled(line: Line) -> list[Labelled]:
    record = line.value
    if "resps" in record:
        return of_log(Logged(record))
    if "human_score" in record:
        return [_human(record)]
    judgment = judgment_of(record["judgment"], highest_of(record)) if record["judgment"] else None
    return [_item(record, record["category"], None, None, str(record["answer_sha256"]), judgment)]


def of_log(line: Logged) -> list[Labelled]:
    """The answers of one line of the harness's log.

    Raises:
        MALFORMED: it is no such line.
    """
    doc, answers = line.doc, line.samples
    judgments: Sequence[Judgment | None] = line.judgments or [None] * len(answers)
    return [
        _item(doc, doc["category"], doc["request"], answer, digest_of(answer), judgment)
        for answer, judgment in zip(answers, judgments, strict=True)
    ]


def _human(line: dict[str, Any]) -> Labelled:
    turns = line["choices"][0]["turns"]
    answer = turns if isinstance(turns, str) else "\n\n".join(map(str, turns))
    score = line["human_score"]
    # Where several people were averaged to something between, there is no label.
    known = score is not None and float(score) in (0.0, 1.0)
    judgment = Judgment(int(score), "people") if known else None
    return _item(line, "", None, answer, digest_of(answer), judgment)


def _item(
    line: dict[str, Any],
    category: str,
    request: str | None,
    answer: str | None,
    digest: str,
    judgment: Judgment | None,
) -> Labelled:
    style = str(line.get("prompt_style") or BASE)
    return Labelled(
        int(line["question_id"]),
        style,
        str(category),
        request,
        answer,
        digest,
        judgment,
        str(line.get("label") or ""),
    )


def digest_of(answer: str) -> str:
    """SHA-256 of an answer."""
    return hashlib.sha256(answer.encode("utf-8", "replace")).hexdigest()
