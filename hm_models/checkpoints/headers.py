"""The headers of a checkpoint's safetensors files: which tensors there are, where, of what shape.

    read_headers(Path("ckpt"), "ckpt")["lm_head.weight"].shape

The format is 8 bytes of length, JSON, data. No weight is read. Whatever does not fit (an index of
another save, a shard cut off, gaps, shapes that are no shapes) is an error, as a library would merge it
into noise, or die of it.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from pathlib import Path
from typing import Any

import torch

from hm_models.errors import CheckpointError
from hm_models.files.text_files import TextFileError, parse_json, read_json

INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"
# What transformers takes for a wish to add an adapter to the weights beside it. We never do.
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model"
MERGE_ADAPTER = "Merge it into its model first, for example with PEFT's merge_and_unload."
# The format's own limit; real headers have some hundred kilobytes.
MOST_HEADER = 100_000_000
MOST_DIMENSIONS = 16  # torch and safetensors agree on far more, models on five
# safetensors' names; anything else (fp8, int4 ...) would merge into noise without complaint.
FLOAT_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
BUFFER_DTYPES = {
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
DTYPES = FLOAT_DTYPES | BUFFER_DTYPES


@dataclasses.dataclass(frozen=True)
class TensorHeader:
    """Where one tensor lies: its file, safetensors dtype name, shape, and bytes in the file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    bytes: int

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOAT_DTYPES


def read_headers(folder: Path, name: str) -> dict[str, TensorHeader]:
    if (folder / INDEX_FILE).is_file():
        weight_map = read_object(folder / INDEX_FILE).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{folder / INDEX_FILE} has no weight_map. Fetch it again.")
        if odd := [file for file in weight_map.values() if not _is_file_name(file)]:
            raise CheckpointError(
                f"{folder / INDEX_FILE} names {odd[0]!r} as a shard, which is no file of this folder. "
                "Fetch it again."
            )
        files = sorted(set(weight_map.values()))
        if (folder / SINGLE_FILE).is_file() and files != [SINGLE_FILE]:
            # Libraries disagree on which of the two counts.
            raise CheckpointError(
                f"{name} has both {SINGLE_FILE} and {INDEX_FILE} with other shards. Remove the one "
                "that is not meant."
            )
        missing = [file for file in files if not (folder / file).is_file()]
        if missing:
            raise CheckpointError(
                f"{name} lacks {len(missing)} of {len(files)} shards, the first is {missing[0]}. "
                "Complete the download."
            )
        found = {file: _read_header(folder / file) for file in files}
        strays = [tensor for tensor, file in weight_map.items() if tensor not in found[file]]
        if strays:
            raise CheckpointError(
                f"{folder / INDEX_FILE} places {strays[0]} in {weight_map[strays[0]]}, which does "
                f"not hold it ({len(strays)} such tensors). Index and shards are of different saves."
            )
        unlisted = sorted({t for tensors in found.values() for t in tensors} - weight_map.keys())
        if unlisted:
            # Engines load whatever the shards hold.
            raise CheckpointError(
                f"{folder / INDEX_FILE} does not list {unlisted[0]}, which its shards hold "
                f"({len(unlisted)} such tensors). Index and shards are of different saves."
            )
        return {tensor: found[file][tensor] for tensor, file in weight_map.items()}
    files = sorted(
        file for file in folder.glob("*.safetensors") if not file.name.startswith(ADAPTER_WEIGHTS)
    )
    if folder / SINGLE_FILE in files:
        files = [folder / SINGLE_FILE]
    if len(files) > 1:
        raise CheckpointError(
            f"{name} has {len(files)} .safetensors files and no {INDEX_FILE} that says which of them "
            "make up the model. Complete the download."
        )
    if not files and (folder / ADAPTER_CONFIG).is_file():
        raise CheckpointError(f"{name} holds an adapter and no full weights. {MERGE_ADAPTER}")
    if not files:
        raise CheckpointError(
            f"{name} has no .safetensors files. Other formats (.bin, .pth, .gguf) must be converted "
            "first, for example with transformers' save_pretrained."
        )
    return _read_header(files[0])


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and Path(name).name == name


def _read_header(file: Path) -> dict[str, TensorHeader]:
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
    for tensor, header in headers.items():
        if not header.is_float and header.dtype not in BUFFER_DTYPES:
            raise CheckpointError(
                f"{tensor} in {file} has dtype {header.dtype}. Merging needs bfloat16, float16 or "
                "float32 weights: use the unquantised checkpoint."
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


def read_object(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file)
    except TextFileError as error:
        raise CheckpointError(f"{file} is no valid JSON ({error}) Fetch it again.") from None
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read ({error.strerror}).") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds no JSON object. Fetch it again.")
    return content
