"""A merge as safetensors files, each tensor written to its place while it is merged.

Sizes are known from headers, so that each file's own header comes first and no shard is ever held in
memory: a piece is merged into a buffer while another thread writes the piece before. A file has another
name until it is whole and on the disk. The format: huggingface/safetensors, README, "Format".

>>> one, other = (OutTensor(name, torch.bfloat16, (2, 4)) for name in ("a", "b"))
>>> [shard.name for shard in lay_out([one, other], shard_bytes=20)]
['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from types import TracebackType

import torch

from hm_models.checkpoints.headers import DTYPES, SINGLE_FILE
from hm_models.cores import use_all_cores
from hm_models.merge.contract import Merge
from hm_models.merge.lazy import LazyMerge
from hm_models.merge.plan import MergePlan

DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}
ALIGNMENT = 8  # of the data, as safetensors' own files have it
PIECE = 1 << 23  # bytes merged at once: what the caches of a core hold, large against a call
BUFFERS = 4
PART = ".part"  # behind the name of a file that is not whole yet


@dataclasses.dataclass(frozen=True)
class OutTensor:
    """A tensor of the merge, before it is merged."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file and its tensors, in the order in which they come."""

    name: str
    tensors: tuple[OutTensor, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each tensor begins in the file. The widest come first, so that all are aligned."""
        position, places = len(self.header), {}
        for tensor in self._in_file:
            places[tensor.name] = position
            position += tensor.bytes
        return places

    @cached_property
    def header(self) -> bytes:
        """What stands before the data."""
        entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
        position = 0
        for tensor in self._in_file:
            entries[tensor.name] = {
                "dtype": DTYPE_NAMES[tensor.dtype],
                "shape": tensor.shape,
                "data_offsets": (position, position + tensor.bytes),
            }
            position += tensor.bytes
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    @property
    def data_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def file_bytes(self) -> int:
        return len(self.header) + self.data_bytes

    def is_whole(self, folder: Path) -> bool:
        """Whether the file is there; of another layout it would have another header or size."""
        file = folder / self.name
        if not file.is_file() or file.stat().st_size != self.file_bytes:
            return False
        with file.open("rb") as stream:
            return stream.read(len(self.header)) == self.header

    @property
    def _in_file(self) -> list[OutTensor]:
        return sorted(self.tensors, key=lambda tensor: -tensor.dtype.itemsize)


def out_tensors(recipe: Merge, plan: MergePlan) -> list[OutTensor]:
    """What the stream will yield, in its order: names, dtypes and shapes, from headers alone."""
    if recipe.unmerged is not None:
        own = recipe.unmerged.tensors
        return [OutTensor(name, DTYPES[own[name].dtype], own[name].shape) for name in own]
    theirs = recipe.checkpoints[recipe.lead].tensors
    given = getattr(torch, recipe.out_dtype) if recipe.out_dtype else None
    found = []
    for tensor in plan.tensors:
        header = theirs[tensor.sources[recipe.lead]]
        dtype = given if given and header.is_float else DTYPES[header.dtype]
        found.append(OutTensor(tensor.name, dtype, header.shape))
    return found


def as_text(size: int) -> str:
    """Bytes for people.

    >>> as_text(2_090_000_000), as_text(47_400)
    ('2.09 GB', '0.0474 MB')
    """
    return f"{size / 1e9:.3g} GB" if size >= 10**8 else f"{size / 1e6:.3g} MB"


def lay_out(tensors: Iterable[OutTensor], shard_bytes: int) -> list[Shard]:
    """Distribute tensors over files of at most `shard_bytes` of data; a larger one has its own."""
    groups: list[list[OutTensor]] = [[]]
    held = 0
    for tensor in tensors:
        if groups[-1] and held + tensor.bytes > shard_bytes:
            groups.append([])
            held = 0
        groups[-1].append(tensor)
        held += tensor.bytes
    if len(groups) == 1:
        return [Shard(SINGLE_FILE, tuple(groups[0]))]
    return [
        Shard(f"model-{number:05}-of-{len(groups):05}.safetensors", tuple(group))
        for number, group in enumerate(groups, start=1)
    ]


def write_shards(
    shards: Sequence[Shard],
    stream: Iterable[tuple[str, LazyMerge]],
    folder: Path,
    tell: Callable[[int], object],
) -> None:
    """Write the stream's tensors, which come shard by shard.

    Args:
        tell: gets the number of bytes of each piece that was handed to the system.

    Raises:
        OSError: a file cannot be written. It keeps its `.part` then; files that are whole stay.
    """
    shard_of = {tensor.name: shard for shard in shards for tensor in shard.tensors}
    left = {shard.name: len(shard.tensors) for shard in shards}
    file: _ShardFile | None = None
    try:
        with _PieceWriter(tell) as writer:
            for name, lazy in stream:
                shard = shard_of[name]
                file = file or _ShardFile(shard, folder)
                _write_tensor(lazy, file.descriptor, shard.places[name], writer)
                left[shard.name] -= 1
                if not left[shard.name]:
                    writer.wait()
                    file.finish()
                    file = None
    finally:
        if file is not None:
            os.close(file.descriptor)


class _ShardFile:
    """A shard that is being written, under another name until it is whole."""

    def __init__(self, shard: Shard, folder: Path) -> None:
        self._file = folder / shard.name
        self._draft = folder / (shard.name + PART)
        self.descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            # A disk without room says so before anything is merged, and writes take half the time.
            os.posix_fallocate(self.descriptor, 0, shard.file_bytes)
            _write_all(self.descriptor, memoryview(shard.header), 0)
        except BaseException:
            os.close(self.descriptor)
            raise

    def finish(self) -> None:
        os.fsync(self.descriptor)
        os.replace(self._draft, self._file)
        os.close(self.descriptor)


def _write_tensor(lazy: LazyMerge, descriptor: int, place: int, writer: _PieceWriter) -> None:
    if not (lazy.elementwise and all(tensor.is_contiguous() for tensor in lazy.inputs)):
        whole = lazy.merged().view(-1).view(torch.uint8)
        for start in range(0, len(whole), PIECE):
            writer.put(whole[start : start + PIECE], descriptor, place + start)
        return
    flat = lazy.view(-1)
    step = PIECE // lazy.dtype.itemsize
    for start in range(0, flat.numel(), step):
        part = flat[start : start + step]
        buffer = writer.buffer()[: part.numel() * lazy.dtype.itemsize]
        buffer.view(lazy.dtype).copy_(part)  # merges into the buffer
        writer.put(buffer, descriptor, place + start * lazy.dtype.itemsize)


class _PieceWriter:
    """One thread that writes pieces while the next ones are merged."""

    def __init__(self, tell: Callable[[int], object]) -> None:
        self._tell = tell
        self._thread = ThreadPoolExecutor(1, "hm-write", initializer=use_all_cores)
        self._waiting: deque[Future[None]] = deque()
        self._buffers = [torch.empty(PIECE, dtype=torch.uint8) for _ in range(BUFFERS)]
        self._next = 0

    def __enter__(self) -> _PieceWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)

    def buffer(self) -> torch.Tensor:
        """[PIECE] bytes that nobody reads any more, as fewer than BUFFERS pieces are on their way."""
        self._next = (self._next + 1) % BUFFERS
        return self._buffers[self._next]

    def put(self, piece: torch.Tensor, descriptor: int, place: int) -> None:
        self._shorten(BUFFERS - 2)
        self._waiting.append(self._thread.submit(self._write, piece, descriptor, place))

    def wait(self) -> None:
        """Return when all pieces are written. Raises OSError if one was not."""
        self._shorten(0)

    def _shorten(self, length: int) -> None:
        while len(self._waiting) > length:
            self._waiting.popleft().result()

    def _write(self, piece: torch.Tensor, descriptor: int, place: int) -> None:
        _write_all(descriptor, piece.numpy().data, place)
        # The disk begins now, or fsync would wait for all of the shard at once.
        os.posix_fadvise(descriptor, place, len(piece), os.POSIX_FADV_DONTNEED)
        self._tell(len(piece))


def _write_all(descriptor: int, content: memoryview, place: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, place)
        content, place = content[written:], place + written
