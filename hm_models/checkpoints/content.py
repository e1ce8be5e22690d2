"""What a file of a checkpoint holds: by its hash, by a sample of it, or by what changes with it.

    content_hash(Path("ckpt/model.safetensors"))    # read once, then remembered

The hash of a file is kept under HM_CACHE by path, size and change time, as reading hundreds of gigabytes
again for each alpha would cost more than the merge.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from hm_models.files.places import cache_folder, kept_in
from hm_models.files.text_files import read_text, write_text

SAMPLED_PAGES = 64


def stamp(file: Path) -> str:
    """Changes whenever the file's content does, without reading it."""
    status = file.stat()
    return f"{file.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}"


def sample(file: Path) -> tuple[int, bytes]:
    """A file's size, and some of what it holds, from all over it."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        parts = []
        for part in range(SAMPLED_PAGES):
            stream.seek(size * part // SAMPLED_PAGES)
            parts.append(stream.read(4096))
    return size, b"".join(parts)


def content_hash(file: Path) -> str:
    memo = cache_folder("identities") / hashlib.sha256(stamp(file).encode()).hexdigest()
    with contextlib.suppress(OSError):
        return read_text(memo)
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    with kept_in(memo):
        write_text(memo, digest.hexdigest())
    return digest.hexdigest()
