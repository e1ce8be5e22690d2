"""Every finished answer, kept at once, by key: what was generated once is never generated again.

    with SampleStore(file) as store:
        store.put(model, [(key, task, Answer("text", {"tokens": 12}))])
        store.find([key.question])

Each `put` is a transaction of its own: what it returned from survives the death of the process.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hm_models.samples.key import ModelKey, SampleKey
from hm_models.samples.sample_file import DAYS, SampleFile, insert, transaction


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model said, and facts about it (`tokens`: how many were generated)."""

    text: str
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Holding:
    """What is stored of one task by one model: how many answers, bytes of text, time of the last."""

    fingerprint: str
    description: dict[str, Any]
    task: str
    answers: int
    size: int
    last: float


class SampleStore:
    """Answers by key, in one file that several processes may use together.

    Raises:
        StoreError: see `hm_models.samples.sample_file`.
    """

    def __init__(self, file: Path) -> None:
        self._file = SampleFile(file)

    def __enter__(self) -> SampleStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def path(self) -> Path:
        return self._file.path

    def find(self, questions: Iterable[bytes]) -> dict[SampleKey, Answer]:
        """All answers that there are to these questions."""
        asked = list(dict.fromkeys(questions))

        def look(base: sqlite3.Connection) -> dict[SampleKey, Answer]:
            found = {}
            for question in asked:
                rows = base.execute(
                    "SELECT nth, text, facts FROM answers WHERE question = ?", (question,)
                )
                for nth, text, facts in rows:
                    found[SampleKey(question, nth)] = Answer(text, json.loads(facts))
            return found

        return self._file.do(look)

    def put(self, model: ModelKey, answers: Sequence[tuple[SampleKey, str, Answer]]) -> None:
        """Keep answers of a model, each with its key and the task that asked; the first one counts."""

        def write(base: sqlite3.Connection) -> None:
            with transaction(base):
                number = _number_of(base, model)
                insert(
                    base,
                    "answers",
                    [
                        (
                            k.question,
                            k.index,
                            number,
                            task,
                            a.text,
                            json.dumps(a.facts),
                            time.time(),
                        )
                        for k, task, a in answers
                    ],
                )

        self._file.do(write)

    def first_day(self, template: str, today: str) -> str:
        """The day of the first prompt of a chat template (its SHA-256): today, if this is the first."""

        def look(base: sqlite3.Connection) -> str:
            base.execute(DAYS)
            insert(base, "days", [(template, today)])
            row = "SELECT day FROM days WHERE template = ?"
            return base.execute(row, (template,)).fetchone()[0]

        return self._file.do(look)

    def holdings(self) -> list[Holding]:
        """What is stored, by model and task, the latest last."""

        def look(base: sqlite3.Connection) -> list[Holding]:
            rows = base.execute(
                "SELECT fingerprint, description, task, COUNT(*), SUM(LENGTH(CAST(text AS BLOB))), "
                "MAX(made) FROM answers JOIN models ON model = number "
                "GROUP BY model, task ORDER BY MAX(made)"
            )
            return [Holding(f, json.loads(d), *rest) for f, d, *rest in rows]

        return self._file.do(look)

    def rows_of(self, fingerprint: str) -> Iterator[dict[str, Any]]:
        """The answers of one model, one by one, in the order in which they came."""
        rows = self._file.do(
            lambda base: base.execute(
                "SELECT question, nth, task, text, facts, made FROM answers "
                "JOIN models ON model = number WHERE fingerprint = ? ORDER BY answers.rowid",
                (fingerprint,),
            )
        )
        for question, nth, task, text, facts, made in rows:
            key = {"question": question.hex(), "nth": nth, "task": task}
            yield key | {"text": text, "facts": json.loads(facts), "made": made}

    def remove(self, fingerprint: str) -> int:
        """Remove a model's answers and give their room back; returns how many there were."""
        model = "(SELECT number FROM models WHERE fingerprint = ?)"

        def delete(base: sqlite3.Connection) -> int:
            with transaction(base):
                gone = base.execute(f"DELETE FROM answers WHERE model = {model}", (fingerprint,))
                base.execute("DELETE FROM models WHERE fingerprint = ?", (fingerprint,))
            base.execute("VACUUM")
            return gone.rowcount

        return self._file.do(delete)


def _number_of(base: sqlite3.Connection, model: ModelKey) -> int:
    description = json.dumps(model.description)
    insert(base, "models", [(None, model.fingerprint, description)])
    row = "SELECT number FROM models WHERE fingerprint = ?"
    return base.execute(row, (model.fingerprint,)).fetchone()[0]
