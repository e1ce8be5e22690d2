"""What a model is by its bytes, so that vectors of one model are never taken for another's."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

# What shapes vectors; a folder may hold a README and other formats of the same weights.
SUFFIXES = {".json", ".txt", ".safetensors", ".bin", ".model", ".npy"}


@cache  # some are gigabytes
def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of a model's files."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
        digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}\n".encode())
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
