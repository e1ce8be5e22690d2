"""A safetensors file's header: 8 bytes of length, JSON, and then the data, side by side.

    read_safetensors(Path("ckpt/model.safetensors"))["lm_head.weight"].shape

No weight is read. Whatever does not fit (a file cut off, gaps, shapes that are no shapes) is an error,
as a library would merge it into noise, or die of it.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

from hm_models.checkpoints.headers import DTYPES, MOST_DIMENSIONS, TensorHeader
from hm_models.errors import CheckpointError
from hm_models.files.text_files import parse_json

# The format's own limit; real headers have some hundred kilobytes.
MOST_HEADER = 100_000_000


def read_safetensors(file: Path) -> dict[str, TensorHeader]:
    """The file's tensors by name, in the order of its header.

    Raises:
        CheckpointError: it is truncated, changed, or no such file.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > min(size - 8, MOST_HEADER):
            raise CheckpointError(f"{file} is truncated or no safetensors file. Fetch it again.")
        try:
            entries = parse_json(stream.read(length))
            entries.pop("__metadata__", None)
            headers = {
                tensor: _tensor_header(file, 8 + length, entry) for tensor, entry in entries.items()
            }
            promised = 8 + length + _end_of_data([e["data_offsets"] for e in entries.values()])
        except (ValueError, LookupError, TypeError, AttributeError):
            raise CheckpointError(f"The header of {file} is corrupt. Fetch it again.") from None
    if promised != size:
        raise CheckpointError(
            f"{file} has {size:,} bytes, its header promises {promised:,}: it is truncated or was "
            "changed. Fetch it again."
        )
    return headers


def _end_of_data(spans: list[list[int]]) -> int:
    """Where the last tensor ends. Raises ValueError unless they lie side by side without gaps."""
    position = 0
    for start, end in sorted(spans):
        if start != position or end < start:
            raise ValueError(f"data from {start} to {end} after {position}")
        position = end
    return position


def _tensor_header(file: Path, data: int, entry: dict[str, Any]) -> TensorHeader:
    start, end = entry["data_offsets"]
    numbers = [start, end, *entry["shape"]]
    if any(type(number) is not int for number in numbers) or len(numbers) > 2 + MOST_DIMENSIONS:
        raise ValueError(f"a shape of {entry['shape']!r}")
    if math.prod(filter(None, entry["shape"])) >= 2**63:  # what torch can address
        raise ValueError(f"a shape of {entry['shape']}")
    if (dtype := entry["dtype"]) in DTYPES:
        size = math.prod(entry["shape"]) * DTYPES[dtype].itemsize
        if min(entry["shape"], default=0) < 0 or end - start != size:
            raise ValueError(f"{end - start} bytes for {entry['shape']} of {dtype}")
    return TensorHeader(file, entry["dtype"], tuple(entry["shape"]), data + start, end - start)
