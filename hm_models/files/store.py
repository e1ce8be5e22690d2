"""Bytes by key, kept between runs in one file.

>>> import tempfile
>>> store = Store(Path(tempfile.mkdtemp()) / "judgments.sqlite")
>>> store.put("key", b"value")
>>> store.get_many(["key", "another"])
{'key': b'value'}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hm_models.files.database import Database

TABLES = "CREATE TABLE IF NOT EXISTS found (key TEXT PRIMARY KEY, value BLOB)"
MANY = 500  # keys asked for at once; SQLite takes 999 in its oldest builds


class Store:
    """Bytes by key, in a file that threads and processes may share.

    Raises:
        hm_models.files.places.CacheError: it cannot be read or written: locked for too long, a full disk, ...
    """

    def __init__(self, file: Path) -> None:
        self._database = Database(file, TABLES)

    def get(self, key: str) -> bytes | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those keys that are known."""
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), MANY):
            part = keys[start : start + MANY]
            marks = ", ".join("?" * len(part))
            found.update(
                self._database.read(f"SELECT key, value FROM found WHERE key IN ({marks})", part)
            )
        return found

    def put(self, key: str, value: bytes) -> None:
        self.put_many([(key, value)])

    def put_many(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """Keep all entries or, if the process is killed meanwhile, none."""
        rows = list(entries)
        self._database.write(
            lambda connection: connection.executemany(
                "INSERT OR REPLACE INTO found VALUES (?, ?)", rows
            )
        )
