"""Bytes kept between runs: one SQLite file under HM_CACHE, safe with several processes.

store = Store(cache_file("judgments.sqlite"))
store.put("key", b"value")
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from hm_models.files.places import cache_file, kept_in

__all__ = ["Store", "cache_file"]

WAIT_SECONDS = 60.0  # for other processes that write
MANY = 500  # keys asked for at once; SQLite takes 999 in its oldest builds

logger = logging.getLogger(__name__)


class Store:
    """Bytes by key; a damaged file is set aside, and a new one begun.

    Raises:
        hm_models.files.places.CacheError: it cannot be read or written: locked for too long, a full disk, ...
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        # Threads share the connection, and with it the transaction.
        self._writing = threading.Lock()
        with kept_in(file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._open_or_begin_anew()

    def _open_or_begin_anew(self) -> None:
        try:
            self._open()
        except sqlite3.OperationalError:
            raise  # locked, full or not to be written: no damage
        except sqlite3.DatabaseError as error:
            aside = self._file.with_suffix(f".damaged-{os.getpid()}")
            for end in ("", "-wal", "-shm"):  # a log left behind would go into the new file
                if (part := Path(f"{self._file}{end}")).exists():
                    part.replace(f"{aside}{end}")
            logger.warning("%s is damaged (%s); it was set aside as %s.", self._file, error, aside)
            self._open()

    def _open(self) -> None:
        # Its own transactions: each put is durable by itself.
        self._base = sqlite3.connect(
            self._file, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        self._base.execute("CREATE TABLE IF NOT EXISTS found (key TEXT PRIMARY KEY, value BLOB)")

    def get(self, key: str) -> bytes | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those keys that are known."""
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), MANY):
            part = keys[start : start + MANY]
            marks = ", ".join("?" * len(part))
            query = f"SELECT key, value FROM found WHERE key IN ({marks})"
            with kept_in(self._file):
                found.update(self._base.execute(query, part))
        return found

    def put(self, key: str, value: bytes) -> None:
        self.put_many([(key, value)])

    def put_many(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """Keep all entries or, if the process is killed meanwhile, none."""
        with self._writing, kept_in(self._file):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                self._base.executemany("INSERT OR REPLACE INTO found VALUES (?, ?)", entries)
                self._base.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.OperationalError):  # a full disk has ended it
                    self._base.execute("ROLLBACK")
                raise
