"""A record as the two turns that a student learns from.

The user's turn is the one that `hm-merged` and evalplus ask chat models
(`hm_tasks.code_passk.prompts`), so that a student is trained on what it is measured with. The
assistant's turn is the canonical form with its four markers where the record has a reasoning
(`hm_tasks.traces.markers`), else the program in a code block. Of an answer to a question of the harness's
the turns are the question as its task asks it, and the whole answer as it was graded.

    for record, user, assistant in conversations(records, left_out): ...

    >>> json_line({"messages": messages("Add.", "def add(a, b): ...")})[:60]
    b'{"messages": [{"role": "user", "content": "Add."}, {"role": '
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hm_tasks.code_passk.prompts import user_turn
from hm_tasks.curation.candidate import Candidate
from hm_tasks.traces.markers import join, markers_in

NO_PROGRAM = "left out: no program"
MARKED = "left out: one of the form's markers within it"
NOT_UTF8 = "left out: a lone surrogate, which no UTF-8 file can hold"


def conversations(
    records: Iterable[Candidate], left_out: Counter[str]
) -> Iterator[tuple[Candidate, str, str]]:
    """Each record with its user's and its assistant's turn, in order, one at a time.

    Args:
        left_out: gets how many records are no training examples, by reason: those without a program,
            those with a marker of the canonical form inside it, and those with a lone surrogate: to
            replace it would change a program that was verified.
    """
    for record in records:
        if not record.compared.strip():
            left_out[NO_PROGRAM] += 1
            continue
        if record.reasoning and markers_in(record.reasoning + record.program):
            left_out[MARKED] += 1
            continue
        user, assistant = _turns(record)
        if _has_lone_surrogate(user + assistant):
            left_out[NOT_UTF8] += 1
            continue
        yield record, user, assistant


def _turns(record: Candidate) -> tuple[str, str]:
    """What the student is asked, and what it learns to answer."""
    if record.is_answer:
        return record.statement, record.text
    program = f"```python\n{record.program}\n```"
    answer = join(record.reasoning, record.program) if record.reasoning else program
    return user_turn(record.statement), answer


def messages(user: str, assistant: str) -> list[dict[str, str]]:
    """The two turns as chat templates take them."""
    return [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]


def json_line(row: Mapping[str, Any]) -> bytes:
    """A row as a line of JSON, all of it ASCII: U+2028 and its like are ends of lines to some readers."""
    return json.dumps(row).encode("ascii") + b"\n"


def _has_lone_surrogate(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
