"""One sample on its way into a training set: a line of each file that curation writes.

>>> one = Candidate("0123456789abcdef", "Mbpp/2", "Write f.", "f", "def f(): ...", status=CORRECT)
>>> Candidate.read(one.line()) == one
True
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hm_models.files.text_files import lines_of

CORRECT, WRONG, TIMEOUT, UNSCORED = "correct", "wrong", "timeout", "unscored"
# What samples are: programs, answers that an inner task grades, answers that a judge labelled.
PROGRAMS, ANSWERS, JUDGED = KINDS = ("programs", "answers", "judged")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A sample, what was found out about it, and where it is from.

    Attributes:
        id: 16 hex digits over the source's content and the place in it; the same in every run.
        problem: task_id of the problem.
        statement: the problem as people read it (no template, no instruction around it).
        entry_point: the function that is asked for; empty where programs read stdin.
        text: the model's raw answer.
        program: the program in it; empty where there is none, as in an answer.
        reasoning: the thought before the program, where rewriting or the trace's own form tells it
            apart.
        status: one of CORRECT, WRONG, TIMEOUT, UNSCORED; empty before verification.
        reason: why it is not correct, in words.
        behaviour: digest of its outputs (`hm_metrics.verdict.Verdict`).
        provenance: what made it, as far as the source tells: `source` (file name), `line`, `index`
            (which of the problem's samples), `task`, `model`, `base`, `instruct`, `alpha`,
            `fingerprint` (of the model), `merge` (method and arithmetic), `seed`, `sampling`
            (temperature, top_p, ...), `prompt_sha256` (of the prompt as sent), `problems` (name of the
            set) and `dataset` (hash of the problems' file); of an answer `question` (its number in the
            set) and `inner` (`hm_tasks.curation.provenance.Wrapped.told`); of an answer that a judge
            labelled `judged` (`hm_tasks.curation.provenance.Labelling.told`) and `label`.
    """

    id: str
    problem: str
    statement: str
    entry_point: str
    text: str
    program: str = ""
    reasoning: str = ""
    status: str = ""
    reason: str = ""
    behaviour: str = ""
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def kind(self) -> str:
        """One of KINDS."""
        if "judged" in self.provenance:
            return JUDGED
        return ANSWERS if "inner" in self.provenance else PROGRAMS

    @property
    def is_answer(self) -> bool:
        """Whether it is an answer to a question, and not a program."""
        return self.kind != PROGRAMS

    @property
    def compared(self) -> str:
        """What of it tells how alike two are: the program, or the whole answer."""
        return self.text if self.is_answer else self.program

    def line(self) -> str:
        """The record as one line of JSON, without its end."""
        # Escaped: a lone surrogate in a model's answer is no UTF-8.
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def read(cls, line: str) -> Candidate:
        """What `line` wrote."""
        return cls(**json.loads(line))


def read_records(file: Path) -> Iterator[Candidate]:
    """The records of a file that `line` wrote, one in memory at a time."""
    for _, _, line in lines_of(file):
        yield Candidate.read(line)


def correct_of(records: Iterable[Candidate], counts: Counter[str]) -> Iterator[Candidate]:
    """Those that are correct; `counts` gets the others, by status."""
    for record in records:
        if record.status == CORRECT:
            yield record
        else:
            counts[f"not correct: {record.status}"] += 1
