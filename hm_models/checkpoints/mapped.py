"""A checkpoint's tensors as views of its files, mapped into memory: nothing is copied to be read.

Pages of a file that were read stay the system's, not the process's, once `drop` was called; so a
stream over two checkpoints holds little more memory than it hands out. `keep_resident` copies the
files into anonymous memory once, from where every later read comes without touching a disk.
"""

from __future__ import annotations

import dataclasses
import mmap
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.headers import DTYPES
from hm_models.errors import RecipeError

PAGE = mmap.PAGESIZE


class MappedCheckpoint:
    """Tensors of an opened checkpoint by name; `resident` gives other paths for the same files."""

    def __init__(self, checkpoint: Checkpoint, resident: Mapping[str, str] | None = None) -> None:
        self.checkpoint = checkpoint
        self._is_resident = resident is not None
        self._maps: dict[Path, mmap.mmap] = {}
        for file in sorted({header.file for header in checkpoint.tensors.values()}):
            with open(resident[str(file)] if resident else file, "rb") as stream:
                # Private: torch wants writable memory, and nobody's writing may reach the file.
                self._maps[file] = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)

    def __call__(self, name: str) -> torch.Tensor:
        """The tensor, as a view of its file; a copy where it lies there with gaps or transposed."""
        header = self.checkpoint.tensors[name]
        dtype = DTYPES[header.dtype]
        count = header.bytes // dtype.itemsize
        if not count:
            return torch.empty(header.shape, dtype=dtype)
        flat = torch.frombuffer(
            self._maps[header.file], dtype=dtype, count=count, offset=header.offset
        )
        if header.strides is not None:
            return flat.as_strided(header.shape, header.strides).contiguous()
        return flat.view(header.shape)

    def prefetch(self, name: str) -> None:
        """Read the tensor's pages now; releases the interpreter lock meanwhile."""
        header = self.checkpoint.tensors[name]
        if header.bytes:
            pages = torch.frombuffer(
                self._maps[header.file], dtype=torch.uint8, count=header.bytes, offset=header.offset
            )
            pages[::PAGE].sum()

    def drop(self, name: str) -> None:
        """Give the tensor's pages back to the system, which may keep them in its file cache."""
        if self._is_resident or not hasattr(mmap, "MADV_DONTNEED"):
            return
        header = self.checkpoint.tensors[name]
        start = -(-header.offset // PAGE) * PAGE  # pages shared with a neighbour are left to it
        length = (header.offset + header.bytes) // PAGE * PAGE - start
        if length > 0:
            self._maps[header.file].madvise(mmap.MADV_DONTNEED, start, length)


@dataclasses.dataclass
class ResidentFiles:
    """Files held in memory that belongs to this process and vanishes with it.

    Other processes of the same user on the same machine read them through `paths`.
    """

    paths: dict[str, str]
    _descriptors: list[int]

    @classmethod
    def of(cls, checkpoints: Iterable[Checkpoint]) -> ResidentFiles:
        """Copy the checkpoints' weight files into memory.

        Raises:
            RecipeError: the system has no memory files, or less free memory than the files need.
        """
        if not hasattr(os, "memfd_create"):
            raise RecipeError("keep_resident=true needs Linux. Leave it out.")
        files = sorted({file for checkpoint in checkpoints for file in checkpoint.stamps})
        needed = sum(file.stat().st_size for file in files)
        free = _free_memory()
        if needed > free:
            raise RecipeError(
                f"keep_resident=true needs {needed / 1e9:.1f} GB for the checkpoints, and "
                f"{free / 1e9:.1f} GB of memory are free. Leave it out: changes of alpha then read "
                "the files again."
            )
        held = cls({}, [])
        for file in files:
            descriptor = os.memfd_create(file.name)
            held._descriptors.append(descriptor)
            held.paths[str(file)] = f"/proc/{os.getpid()}/fd/{descriptor}"
            with open(file, "rb") as source, open(descriptor, "wb", closefd=False) as target:
                shutil.copyfileobj(source, target, 1 << 24)
        return held

    def __del__(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)


def _free_memory() -> int:
    """Bytes that can be had without swapping: free memory and what the file cache would give up."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RecipeError("keep_resident=true: /proc/meminfo does not say what is free. Leave it out.")
