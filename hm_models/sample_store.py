"""Every finished answer, kept at once: one SQLite file that several processes may use together.

    with SampleStore(file) as store:
        store.put(model, [(key, task, Answer("text", {"tokens": 12}))])
        store.find([key.question])

Each `put` is a transaction of its own: what it returned from survives the death of the process. SQLite's
write-ahead log is not made for network file systems; keep the file on a local disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hm_models.sample_key import ModelKey, SampleKey

LAYOUT = 1  # of the tables; kept in the file
WAIT_SECONDS = 60.0  # for other processes that write
TABLES = """
CREATE TABLE IF NOT EXISTS models (
    number INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    question BLOB NOT NULL, nth INTEGER NOT NULL, model INTEGER NOT NULL, task TEXT NOT NULL,
    text TEXT NOT NULL, facts TEXT NOT NULL, made REAL NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS answers_by_key ON answers (question, nth);
CREATE INDEX IF NOT EXISTS answers_by_model ON answers (model, task);
"""
COLUMNS = "question, nth, model, task, text, facts, made"

logger = logging.getLogger(__name__)
T = TypeVar("T")


class StoreError(RuntimeError):
    """A store that cannot be used; the message names the file and the remedy."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model said, and facts about it (`tokens`: how many were generated)."""

    text: str
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Holding:
    """What is stored of one task by one model; `size` in bytes of text."""

    fingerprint: str
    description: dict[str, Any]
    task: str
    answers: int
    size: int
    last: float


class SampleStore:
    """Answers by key.

    Raises:
        StoreError: the file is of a later version, is locked for too long, or cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file.expanduser()
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"No samples can be kept in {file}: {error}.") from error
        self._base: Any = None  # the connection
        self._opened: int | None = None  # which file it is of
        self._models: dict[str, int] = {}
        self._guarded(lambda: None)

    def __enter__(self) -> SampleStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._base is not None:
            self._base.close()
        self._base = self._opened = None

    # --- answers ----------------------------------------------------------------------------

    def find(self, questions: Iterable[bytes]) -> dict[SampleKey, Answer]:
        """All answers that there are to these questions."""

        def look() -> dict[SampleKey, Answer]:
            found = {}
            for question in dict.fromkeys(questions):
                rows = self._base.execute(
                    "SELECT nth, text, facts FROM answers WHERE question = ?", (question,)
                )
                for nth, text, facts in rows:
                    found[SampleKey(question, nth)] = Answer(text, json.loads(facts))
            return found

        questions = list(questions)
        return self._guarded(look)

    def put(self, model: ModelKey, answers: Sequence[tuple[SampleKey, str, Answer]]) -> None:
        """Keep answers of a model, each with its key and the task that asked; the first one counts."""

        def write() -> None:
            with self._transaction():
                number = self._number_of(model)
                self._base.executemany(
                    f"INSERT OR IGNORE INTO answers ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (k.question, k.index, number, task, a.text, json.dumps(a.facts), time.time())
                        for k, task, a in answers
                    ],
                )

        self._guarded(write)

    # --- what people ask for ------------------------------------------------------------------

    def holdings(self) -> list[Holding]:
        """What is stored, by model and task, the latest last."""

        def look() -> list[Holding]:
            rows = self._base.execute(
                "SELECT fingerprint, description, task, COUNT(*), SUM(LENGTH(CAST(text AS BLOB))), "
                "MAX(made) FROM answers JOIN models ON model = number "
                "GROUP BY model, task ORDER BY MAX(made)"
            )
            return [Holding(f, json.loads(d), *rest) for f, d, *rest in rows]

        return self._guarded(look)

    def rows_of(self, fingerprint: str) -> Iterator[dict[str, Any]]:
        """The answers of one model, one by one."""
        rows = self._base.execute(
            "SELECT question, nth, task, text, facts, made FROM answers "
            "JOIN models ON model = number WHERE fingerprint = ? ORDER BY answers.rowid",
            (fingerprint,),
        )
        for question, nth, task, text, facts, made in rows:
            key = {"question": question.hex(), "nth": nth, "task": task}
            yield key | {"text": text, "facts": json.loads(facts), "made": made}

    def remove(self, fingerprint: str) -> int:
        """Remove a model's answers and give their room back; returns how many there were."""

        def delete() -> int:
            with self._transaction():
                count = self._base.execute(
                    "DELETE FROM answers WHERE model = "
                    "(SELECT number FROM models WHERE fingerprint = ?)",
                    (fingerprint,),
                ).rowcount
                self._base.execute("DELETE FROM models WHERE fingerprint = ?", (fingerprint,))
            self._models = {}
            self._base.execute("VACUUM")
            return count

        return self._guarded(delete)

    # --- the file -----------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do it; where the file turns out to be damaged, save what can be read and do it again."""
        try:
            try:
                self._open()
                return work()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self._start_anew(error)
                return work()
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self.file}: {error}. Samples are kept in this file; see that it can be written, "
                "that the disk is not full, and that no other program holds it."
            ) from error

    def _open(self) -> None:
        if self._base is not None:
            if _inode(self.file) == self._opened:
                return
            self.close()  # the file was moved or removed: what is written to it would not be found
        base = sqlite3.connect(self.file, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            with _alone(self.file):  # the log cannot be switched on by two at once
                _prepare(base, self.file)
        except BaseException:
            base.close()
            raise
        self._base, self._opened = base, _inode(self.file)
        self._models = {}

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        # The lock for writing at once: one who reads first may find that he cannot write any more.
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def _number_of(self, model: ModelKey) -> int:
        if model.fingerprint not in self._models:
            self._base.execute(
                "INSERT OR IGNORE INTO models (fingerprint, description) VALUES (?, ?)",
                (model.fingerprint, json.dumps(model.description)),
            )
            (self._models[model.fingerprint],) = self._base.execute(
                "SELECT number FROM models WHERE fingerprint = ?", (model.fingerprint,)
            ).fetchone()
        return self._models[model.fingerprint]

    def _start_anew(self, error: Exception) -> None:
        opened = self._opened
        self.close()
        aside = Path(f"{self.file}.damaged-{time.time_ns()}")
        with _alone(self.file):
            if opened in (None, _inode(self.file)):  # else another process has done it already
                for end in ("", "-wal", "-shm"):  # a log left behind would go into the new file
                    if (part := Path(f"{self.file}{end}")).exists():
                        part.replace(f"{aside}{end}")
        self._open()
        if aside.exists():
            with self._transaction():
                saved = _salvage(aside, self._base)
            logger.warning(
                "hm-merged: %s is damaged (%s). It was set aside as %s; the %d samples that could be "
                "read from it were kept, the others will be generated again.",
                *(self.file, error, aside, saved),
            )


def _salvage(damaged: Path, base: sqlite3.Connection) -> int:
    """Copy the answers that can still be read, from both ends up to a damaged page; count them."""
    saved = 0
    for table, columns in (("models", "number, fingerprint, description"), ("answers", COLUMNS)):
        marks = ", ".join("?" for _ in columns.split(","))
        for order in ("ASC", "DESC"):
            # A reading that met damage reads nothing more.
            with contextlib.closing(sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)) as old:
                with contextlib.suppress(sqlite3.DatabaseError):  # the count says what is lost
                    for row in old.execute(f"SELECT {columns} FROM {table} ORDER BY rowid {order}"):
                        kept = base.execute(
                            f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", row
                        )
                        saved += kept.rowcount if table == "answers" else 0
    return saved


def _prepare(base: sqlite3.Connection, file: Path) -> None:
    layout = base.execute("PRAGMA user_version").fetchone()[0]
    if layout > LAYOUT:
        raise StoreError(
            f"{file} was written by a later version of this package (layout {layout}, known: "
            f"{LAYOUT}). Update the package, or use another file."
        )
    base.execute("PRAGMA journal_mode=WAL")
    # Enough to survive the death of the process; only a power cut may take the last moments.
    base.execute("PRAGMA synchronous=NORMAL")
    if layout < LAYOUT:
        base.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version={LAYOUT}; COMMIT;")


def _inode(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Keep other processes from opening or moving the file meanwhile."""
    with Path(f"{file}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
