"""The SQLite file that answers are kept in: shared by processes, and mended where it is damaged.

    file = SampleFile(path)
    file.do(lambda base: base.execute("SELECT COUNT(*) FROM answers").fetchone())

SQLite's write-ahead log lets several processes of one machine read and write at once. It is not made
for network file systems.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from hm_models.files.places import CacheError, kept_in

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
# Made when it is first needed: files of this layout may lack it.
DAYS = "CREATE TABLE IF NOT EXISTS days (template TEXT PRIMARY KEY, day TEXT NOT NULL)"
COLUMNS = {
    "models": "number, fingerprint, description",
    "answers": "question, nth, model, task, text, facts, made",
    "days": "template, day",
}

logger = logging.getLogger(__name__)
T = TypeVar("T")


class StoreError(CacheError):
    """A store that cannot be used; the message names the file and the remedy."""


class SampleFile:
    """An open file of answers.

    Raises:
        StoreError: the file is of a later version.
        CacheError: it is locked for too long, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        self._base: sqlite3.Connection | None = None
        self._opened: int | None = None  # which file the connection is of
        with kept_in(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self.do(lambda base: None)

    def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it; where the file turns out to be damaged, save what can be read and do it again."""
        with kept_in(self.path):
            try:
                return work(self._connection())
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self._start_anew(error)
                return work(self._connection())

    def close(self) -> None:
        if self._base is not None:
            self._base.close()
        self._base = self._opened = None

    def _connection(self) -> sqlite3.Connection:
        if self._base is not None:
            if _inode(self.path) == self._opened:
                return self._base
            self.close()  # the file was moved or removed: what is written to it would not be found
        base = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            with _alone(self.path):  # the log cannot be switched on by two at once
                _prepare(base, self.path)
        except BaseException:
            base.close()
            raise
        self._base, self._opened = base, _inode(self.path)
        return base

    def _start_anew(self, error: Exception) -> None:
        opened = self._opened
        self.close()
        aside = Path(f"{self.path}.damaged-{time.time_ns()}")
        with _alone(self.path):
            if opened in (None, _inode(self.path)):  # else another process has done it already
                for end in ("", "-wal", "-shm"):  # a log left behind would go into the new file
                    if (part := Path(f"{self.path}{end}")).exists():
                        part.replace(f"{aside}{end}")
        base = self._connection()
        if aside.exists():
            with transaction(base):
                saved = _salvage(aside, base)
            logger.warning(
                "hm-merged: %s is damaged (%s). It was set aside as %s; the %d samples that could be "
                "read from it were kept, the others will be generated again.",
                *(self.path, error, aside, saved),
            )


@contextlib.contextmanager
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    # The lock for writing at once: one who reads first may find that he cannot write any more.
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            base.execute("ROLLBACK")
        raise
    base.execute("COMMIT")


def insert(base: sqlite3.Connection, table: str, rows: Iterable[tuple]) -> int:
    """Insert rows of all columns, but those whose key is there already; return how many."""
    marks = ", ".join("?" for _ in COLUMNS[table].split(","))
    sentence = f"INSERT OR IGNORE INTO {table} ({COLUMNS[table]}) VALUES ({marks})"
    return base.executemany(sentence, rows).rowcount


def _salvage(damaged: Path, base: sqlite3.Connection) -> int:
    """Copy the answers that can still be read, from both ends up to a damaged page; count them."""
    base.execute(DAYS)
    for table, columns in COLUMNS.items():
        for order in ("ASC", "DESC"):
            # A reading that met damage reads nothing more.
            old = sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)
            rows = f"SELECT {columns} FROM {table} ORDER BY rowid {order}"
            with contextlib.closing(old), contextlib.suppress(sqlite3.DatabaseError):
                insert(base, table, old.execute(rows))  # the count says what is lost
    return base.execute("SELECT COUNT(*) FROM answers").fetchone()[0]


def _prepare(base: sqlite3.Connection, path: Path) -> None:
    layout = base.execute("PRAGMA user_version").fetchone()[0]
    if layout > LAYOUT:
        raise StoreError(
            f"{path} was written by a later version of this package (layout {layout}, known: "
            f"{LAYOUT}). Update the package, or use another file."
        )
    base.execute("PRAGMA journal_mode=WAL")
    # Enough to survive the death of the process; only a power cut may take the last moments.
    base.execute("PRAGMA synchronous=NORMAL")
    if layout < LAYOUT:
        base.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version={LAYOUT}; COMMIT;")


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from opening or moving the file meanwhile."""
    with Path(f"{path}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
