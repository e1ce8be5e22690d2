"""One SQLite file: opened, shared with other threads and processes, set aside where it is damaged.

    database = Database(cache_file("words.sqlite"), "CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY)")
    database.write(lambda rows: rows.execute("INSERT INTO words VALUES ('merge')"))
    database.read("SELECT word FROM words WHERE word = ?", ("merge",))       # [("merge",)]

Everything that is kept between runs lies in one. SQLite's write-ahead log lets several processes of one
machine read and write at once; it is not made for network file systems.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from hm_models.files.places import CacheError, kept_in

WAIT_SECONDS = 60.0  # for other processes that write

logger = logging.getLogger(__name__)
T = TypeVar("T")


class StoreError(CacheError):
    """A file that cannot be used; the message names it and the remedy."""


class Database:
    """An open file.

    Args:
        tables: statements that make what is missing, and leave alone what is there.
        layout: the number of these tables' layout, which is noted in the file (`user_version`).

    Raises:
        StoreError: the file is of a later layout.
        CacheError: it is locked for too long, or cannot be written.
    """

    def __init__(self, file: Path, tables: str, layout: int = 0) -> None:
        self.path = file.expanduser()
        self._tables, self._layout = tables, layout
        self._open: sqlite3.Connection | None = None
        self._inode: int | None = None  # of the file that the connection is to
        self._turn = threading.RLock()  # threads share the connection, and with it the transaction
        with kept_in(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self.do(lambda connection: None)

    def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it; where the file turns out to be damaged, begin a new one and do it again."""
        with self._turn, kept_in(self.path):
            try:
                return work(self._connection())
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:
                    raise  # locked, full, a bug: no damage
                self._set_aside(error)
                return work(self._connection())

    def read(self, query: str, values: Sequence[object] = ()) -> list[tuple]:
        """The rows that a query finds."""
        return self.do(lambda connection: connection.execute(query, values).fetchall())

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it as one transaction: all of it or, if the process is killed meanwhile, nothing."""

        def whole(connection: sqlite3.Connection) -> T:
            # The lock for writing at once: one who reads first may find that he cannot write any more.
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has ended it
                    connection.execute("ROLLBACK")
                raise
            return done

        return self.do(whole)

    def close(self) -> None:
        with self._turn:
            if self._open is not None:
                self._open.close()
            self._open = None

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None:
            if _inode(self.path) == self._inode:
                return self._open
            self.close()  # the file was moved or removed: what is written to it would not be found
        self._inode = _inode(self.path)
        # Its own transactions: each `write` is durable by itself.
        connection = sqlite3.connect(
            self.path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            with _alone(self.path):  # the log cannot be switched on by two at once
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._open, self._inode = connection, _inode(self.path)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > self._layout:
            raise StoreError(
                f"{self.path} was written by a later version of this package (layout {found}, known: "
                f"{self._layout}). Update the package, or use another file."
            )
        connection.execute("PRAGMA journal_mode=WAL")
        # Enough to survive the death of the process; only a power cut may take the last moments.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(self._tables)
        if found < self._layout:
            connection.execute(f"PRAGMA user_version={self._layout}")

    def _set_aside(self, error: Exception) -> None:
        self.close()
        aside = Path(f"{self.path}.damaged-{time.time_ns()}")
        with _alone(self.path):
            if _inode(self.path) != self._inode:
                return  # another process has done it already
            for part in ("", "-wal", "-shm"):  # a log left behind would go into the new file
                if (old := Path(f"{self.path}{part}")).exists():
                    old.replace(f"{aside}{part}")
        logger.warning(
            "%s is damaged (%s). It was set aside as %s, and a new file begun: what was in it is asked "
            "for again. `sqlite3 %s .recover` shows what can still be read of it.",
            *(self.path, error, aside, aside),
        )


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
