"""One checkpoint: its config, its tensors' headers and its content identity, without its weights.

A checkpoint is a folder, or a model on the hub, with `config.json` and `.safetensors` files. Only
the files' headers are read here (the format: 8 bytes of length, JSON, data), so that whatever is
wrong with a checkpoint is said before any weight is loaded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import struct
from pathlib import Path
from typing import Any

import torch

from hm_models.places import cache_folder, kept_in

INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"
# What hm_models.writer leaves in a merged checkpoint: where it came from, not what it is.
MANIFEST = "hindsight_merge.json"
# What a download must bring: weights, configs, tokenizer and chat template.
WANTED_FILES = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken"]
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


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and the remedy."""


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


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk, opened by `Checkpoint.open`; `tensors` maps names to headers."""

    name: str
    folder: Path
    revision: str | None
    config: dict[str, Any]
    tensors: dict[str, TensorHeader]
    stamps: dict[Path, str]

    @classmethod
    def open(cls, name: str, revision: str | None = None) -> Checkpoint:
        """Open a folder or a hub model, reading configs and headers alone.

        Raises:
            CheckpointError: no such checkpoint, no config, no safetensors, quantised weights, a
                shard that is missing, truncated or corrupt.
        """
        folder, revision = _locate(name, revision)
        config = _read_json(folder / "config.json", name)
        if config.get("quantization_config"):
            method = config["quantization_config"].get("quant_method", "unknown method")
            raise CheckpointError(
                f"{name} is quantised ({method}, see quantization_config in its config.json). "
                "Merging needs bfloat16, float16 or float32 weights: use the unquantised checkpoint."
            )
        tensors = _read_headers(folder, name)
        stamps = {file: _stamp(file) for file in {header.file for header in tensors.values()}}
        return cls(name, folder, revision, config, tensors, stamps)

    @property
    def ties_embeddings(self) -> bool:
        """Whether the config says that the output head is the input embedding."""
        text = self.config.get("text_config") or {}
        return bool(self.config.get("tie_word_embeddings", text.get("tie_word_embeddings", False)))

    @property
    def companions(self) -> list[Path]:
        """The files beside the weights: config, tokenizer, chat template and the like."""
        found = {file for pattern in WANTED_FILES for file in self.folder.glob(pattern)}
        return sorted(
            file
            for file in found
            if file.suffix != ".safetensors" and file.name not in (INDEX_FILE, MANIFEST)
        )

    def check_unchanged(self) -> None:
        """Raise CheckpointError if a weight file is not what it was when its header was read."""
        for file, stamp in self.stamps.items():
            if not file.is_file() or _stamp(file) != stamp:
                raise CheckpointError(
                    f"{file} was changed or removed since it was opened. What was loaded from it and "
                    "what it holds now must not be mixed: make a new model."
                )

    def identity(self) -> str:
        """A SHA-256 over the content of config, tokenizer and weights, whatever the folder's name.

        The hash of a weight file is remembered under HM_CACHE by path, size and change time, as
        reading hundreds of gigabytes again for each alpha would cost more than the merge.
        """
        files = {header.file for header in self.tensors.values()} | set(self.companions)
        digests = sorted((file.name, _content_hash(file)) for file in files)
        return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def _locate(name: str, revision: str | None) -> tuple[Path, str | None]:
    """Return the folder of a checkpoint and, for the hub, the commit that it is."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve(), revision
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise CheckpointError(
            f"{name} is no checkpoint: there is no such folder. Give a folder with config.json and "
            ".safetensors files, or a hub name such as meta-llama/Llama-3.1-8B."
        )
    from huggingface_hub import snapshot_download

    try:
        snapshot = snapshot_download(name, revision=revision, allow_patterns=WANTED_FILES)
    except Exception as error:  # the hub client raises a dozen kinds; each carries its own reason
        raise CheckpointError(
            f"{name} is no checkpoint: there is no such folder, and the hub gave none"
            f"{f' at revision {revision}' if revision else ''} ({type(error).__name__}: {error}). "
            "Check the name, your token for gated models, and HF_HUB_OFFLINE."
        ) from error
    return Path(snapshot), Path(snapshot).name


def _read_json(file: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except FileNotFoundError:
        raise CheckpointError(
            f"{name} is no checkpoint: it has no {file.name}. Expected a folder as written by "
            "`save_pretrained`."
        ) from None
    except ValueError as error:
        raise CheckpointError(f"{file} is no valid JSON ({error}). Fetch it again.") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds no JSON object. Fetch it again.")
    return content


def _read_headers(folder: Path, name: str) -> dict[str, TensorHeader]:
    if (folder / INDEX_FILE).is_file():
        weight_map = _read_json(folder / INDEX_FILE, name).get("weight_map")
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
    files = sorted(folder.glob("*.safetensors"))
    if folder / SINGLE_FILE in files:
        files = [folder / SINGLE_FILE]
    if len(files) > 1:
        raise CheckpointError(
            f"{name} has {len(files)} .safetensors files and no {INDEX_FILE} that says which of them "
            "make up the model. Complete the download."
        )
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
        if length > size - 8:
            raise CheckpointError(f"{file} is truncated or no safetensors file. Fetch it again.")
        try:
            entries = json.loads(stream.read(length))
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
    if (dtype := entry["dtype"]) in DTYPES:
        size = math.prod(entry["shape"]) * DTYPES[dtype].itemsize
        if min(entry["shape"], default=0) < 0 or end - start != size:
            raise ValueError(f"{end - start} bytes for {entry['shape']} of {dtype}")
    return TensorHeader(file, entry["dtype"], tuple(entry["shape"]), data + start, end - start)


def _stamp(file: Path) -> str:
    """Changes whenever the file's content does, without reading it."""
    status = file.stat()
    return f"{file.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}"


def _content_hash(file: Path) -> str:
    memo = cache_folder("identities") / hashlib.sha256(_stamp(file).encode()).hexdigest()
    with contextlib.suppress(OSError):
        return memo.read_text()
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    # Written aside and renamed: another process never reads half a digest.
    draft = memo.with_suffix(f".{os.getpid()}")
    with kept_in(memo):
        draft.write_text(digest.hexdigest())
        draft.replace(memo)
    return digest.hexdigest()
