"""What scoring found, kept between runs: one SQLite file under HM_CACHE, keyed by what shaped it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

# A part of each key; it changes with the rules or the encoding, so that old entries are not found.
VERSION = 2
WAIT_SECONDS = 60.0  # for other processes that write

logger = logging.getLogger(__name__)


class Store:
    """Bytes by key, safe with several processes; a damaged file is set aside, and a new one begun."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or _default_file()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            aside = self._file.with_suffix(f".damaged-{os.getpid()}")
            self._file.replace(aside)
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
        row = self._base.execute("SELECT value FROM found WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: bytes) -> None:
        self._base.execute("INSERT OR REPLACE INTO found VALUES (?, ?)", (key, value))


def key_of(*parts: object) -> str:
    """A key over everything that shaped an entry; parts are plain JSON values."""
    # Oracles, guards and half of the sanitizer are evalplus's own code.
    return hashlib.sha256(json.dumps([VERSION, version("evalplus"), *parts]).encode()).hexdigest()


def _default_file() -> Path:
    root = os.environ.get("HM_CACHE")
    folder = Path(root).expanduser() if root else user_cache_path("hindsight-merging")
    return folder / "scoring" / "found.sqlite"
