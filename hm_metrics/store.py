"""Bytes kept between runs: one SQLite file under HM_CACHE, safe with several processes."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from platformdirs import user_cache_path

WAIT_SECONDS = 60.0  # for other processes that write
MANY = 500  # keys asked for at once; SQLite takes 999 in its oldest builds

logger = logging.getLogger(__name__)


class Store:
    """Bytes by key; a damaged file is set aside, and a new one begun."""

    def __init__(self, file: Path) -> None:
        self._file = file
        # Threads share the connection, and with it the transaction.
        self._writing = threading.Lock()
        self._file.parent.mkdir(parents=True, exist_ok=True)
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
            found.update(
                self._base.execute(f"SELECT key, value FROM found WHERE key IN ({marks})", part)
            )
        return found

    def put(self, key: str, value: bytes) -> None:
        self.put_many([(key, value)])

    def put_many(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """Keep all entries or, if the process is killed meanwhile, none."""
        with self._writing:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                self._base.executemany("INSERT OR REPLACE INTO found VALUES (?, ?)", entries)
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")


def cache_file(*parts: str) -> Path:
    """A file below HM_CACHE, which is by default the platform's user cache folder."""
    root = os.environ.get("HM_CACHE")
    folder = Path(root).expanduser() if root else user_cache_path("hindsight-merging")
    return folder.joinpath(*parts)
