"""Bytes on the disk before anything relies on them: to_disk(Path("OUT/1_samples.jsonl"))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from hm_models.files.text_files import write_pieces


def to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's names, would survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_lines(file: Path, lines: Iterable[str]) -> int:
    """Write lines as they come, and return how many."""
    number = 0

    def counted() -> Iterable[str]:
        nonlocal number
        for line in lines:
            number += 1
            yield line + "\n"

    write_pieces(file, counted())
    return number
