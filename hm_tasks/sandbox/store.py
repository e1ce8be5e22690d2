"""What scoring found, kept between runs under HM_CACHE, keyed by what shaped it."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from hm_models.files import store

# A part of each key; it changes with the rules or the encoding, so that old entries are not found.
VERSION = 3


class Store(store.Store):
    """Bytes by key, in the file of verdicts and expected outputs."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(file or store.cache_file("scoring", "found.sqlite"))


def key_of(*parts: object) -> str:
    """A key over everything that shaped an entry; parts are plain JSON values."""
    # Oracles, guards and half of the sanitizer are evalplus's own code.
    return hashlib.sha256(json.dumps([VERSION, version("evalplus"), *parts]).encode()).hexdigest()
