"""Every finished answer, kept at once, by key: what was generated once is never generated again.

    >>> import tempfile
    >>> model, key = ModelKey("a fingerprint", {"alpha": 0.7}), SampleKey(b"a question", 0)
    >>> with SampleStore(Path(tempfile.mkdtemp()) / "samples.sqlite") as store:
    ...     store.put(model, [(key, "task", Answer("text", {"tokens": 12}))])
    ...     store.find([key.question])[key].text
    'text'

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

from hm_models.files.database import Database
from hm_models.samples.key import ModelKey, SampleKey

LAYOUT = 1  # of the tables; noted in the file
TABLES = """
CREATE TABLE IF NOT EXISTS models (
    number INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    question BLOB NOT NULL, nth INTEGER NOT NULL, model INTEGER NOT NULL, task TEXT NOT NULL,
    text TEXT NOT NULL, facts TEXT NOT NULL, made REAL NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS answers_by_key ON answers (question, nth);
CREATE INDEX IF NOT EXISTS answers_by_model ON answers (model, task);
CREATE TABLE IF NOT EXISTS days (template TEXT PRIMARY KEY, day TEXT NOT NULL);
"""


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
        StoreError, CacheError: see `hm_models.files.database`.
    """

    def __init__(self, file: Path) -> None:
        self._database = Database(file, TABLES, LAYOUT)

    def __enter__(self) -> SampleStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @property
    def path(self) -> Path:
        return self._database.path

    def find(self, questions: Iterable[bytes]) -> dict[SampleKey, Answer]:
        """All answers that there are to these questions."""
        query = "SELECT nth, text, facts FROM answers WHERE question = ?"
        return {
            SampleKey(question, nth): Answer(text, json.loads(facts))
            for question in dict.fromkeys(questions)
            for nth, text, facts in self._database.read(query, (question,))
        }

    def put(self, model: ModelKey, answers: Sequence[tuple[SampleKey, str, Answer]]) -> None:
        """Keep answers of a model, each with its key and the task that asked; the first one counts."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR IGNORE INTO models (fingerprint, description) VALUES (?, ?)",
                (model.fingerprint, json.dumps(model.description)),
            )
            query = "SELECT number FROM models WHERE fingerprint = ?"
            (number,) = connection.execute(query, (model.fingerprint,)).fetchone()
            connection.executemany(
                "INSERT OR IGNORE INTO answers (question, nth, model, task, text, facts, made) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (k.question, k.index, number, task, a.text, json.dumps(a.facts), time.time())
                    for k, task, a in answers
                ],
            )

        self._database.write(write)

    def first_day(self, template: str, today: str) -> str:
        """The day of the first prompt of a chat template (its SHA-256): today, if this is the first."""
        insert = "INSERT OR IGNORE INTO days (template, day) VALUES (?, ?)"
        self._database.write(lambda connection: connection.execute(insert, (template, today)))
        return self._database.read("SELECT day FROM days WHERE template = ?", (template,))[0][0]

    def holdings(self) -> list[Holding]:
        """What is stored, by model and task, the latest last."""
        rows = self._database.read(
            "SELECT fingerprint, description, task, COUNT(*), SUM(LENGTH(CAST(text AS BLOB))), "
            "MAX(made) FROM answers JOIN models ON model = number "
            "GROUP BY model, task ORDER BY MAX(made)"
        )
        return [Holding(f, json.loads(d), *rest) for f, d, *rest in rows]

    def rows_of(self, fingerprint: str) -> Iterator[dict[str, Any]]:
        """The answers of one model, one by one, in the order in which they came."""
        rows = self._database.do(
            lambda connection: connection.execute(
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

        def delete(connection: sqlite3.Connection) -> int:
            gone = connection.execute(f"DELETE FROM answers WHERE model = {model}", (fingerprint,))
            connection.execute("DELETE FROM models WHERE fingerprint = ?", (fingerprint,))
            return gone.rowcount

        gone = self._database.write(delete)
        self._database.do(lambda connection: connection.execute("VACUUM"))
        return gone
