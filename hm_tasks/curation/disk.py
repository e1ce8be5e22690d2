"""Bytes on the disk before anything relies on them: to_disk(Path("OUT/1_samples.jsonl"))."""

from __future__ import annotations

import os
from pathlib import Path


def to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's names, would survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
