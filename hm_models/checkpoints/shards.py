"""Which files of a folder make up the model, and the headers of all their tensors.

    read_headers(Path("ckpt"), "ckpt")["lm_head.weight"].shape

Safetensors where there are any, else `.bin` files, as in transformers: several by their index, or a single
one. No weight is read. An index of another save, and a shard that is not there, are errors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from hm_models.checkpoints.bin_file import read_bin
from hm_models.checkpoints.foreign import why_no_weights
from hm_models.checkpoints.headers import (
    ADAPTER_WEIGHTS,
    DTYPES,
    INDEX_FILE,
    SINGLE_FILE,
    TensorHeader,
    read_object,
)
from hm_models.checkpoints.safetensors_file import read_safetensors
from hm_models.errors import CheckpointError

BIN_INDEX_FILE = "pytorch_model.bin.index.json"
BIN_SINGLE_FILE = "pytorch_model.bin"


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of weights: what its files are called, and what reads one's headers."""

    index: str
    single: str
    pattern: str
    read: Callable[[Path], dict[str, TensorHeader]]

    def files(self, folder: Path) -> list[Path]:
        """The folder's files of weights, but for adapters and those in a maker's own layout."""
        others = (ADAPTER_WEIGHTS, "consolidated", "pytorch_model_fsdp")
        return sorted(f for f in folder.glob(self.pattern) if not f.name.startswith(others))

    def is_in(self, folder: Path) -> bool:
        return (folder / self.index).is_file() or bool(self.files(folder))


SAFETENSORS = Format(INDEX_FILE, SINGLE_FILE, "*.safetensors", read_safetensors)
# Trainers leave other files of this ending (optimizer.bin, training_args.bin).
BIN = Format(BIN_INDEX_FILE, BIN_SINGLE_FILE, "pytorch_model*.bin", read_bin)
FORMATS = (SAFETENSORS, BIN)


def read_headers(folder: Path, name: str) -> dict[str, TensorHeader]:
    """The headers of all tensors of a checkpoint.

    Raises:
        CheckpointError: there are no weights, or not all of them, or a file is truncated or corrupt.
    """
    for form in FORMATS:
        if form.is_in(folder):
            return _listed(form, folder, name) or _alone(form, folder, name)
    raise CheckpointError(f"{name} {why_no_weights(folder)}")


def read_file(file: Path) -> dict[str, TensorHeader]:
    """The headers of one file of weights, in the format that its ending says.

    Raises:
        CheckpointError: it is truncated or corrupt, or has a dtype that cannot be merged.
    """
    headers = (read_safetensors if file.suffix == ".safetensors" else read_bin)(file)
    for tensor, header in headers.items():
        if header.dtype not in DTYPES:
            raise CheckpointError(
                f"{tensor} in {file} has dtype {header.dtype}. Merging needs bfloat16, float16 or "
                "float32 weights: use the unquantised checkpoint."
            )
    return headers


def unread_beside(folder: Path) -> str | None:
    """The files of weights that are left unread, as there are safetensors; None if there are none."""
    both = SAFETENSORS.is_in(folder) and BIN.is_in(folder)
    return BIN.pattern if both else None


def _listed(form: Format, folder: Path, name: str) -> dict[str, TensorHeader]:
    """The tensors of the index; none if there is no index."""
    if not (folder / form.index).is_file():
        return {}
    weight_map = read_object(folder / form.index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{folder / form.index} has no weight_map. Fetch it again.")
    if odd := [file for file in weight_map.values() if not _is_file_name(file)]:
        raise CheckpointError(
            f"{folder / form.index} names {odd[0]!r} as a shard, which is no file of this folder. "
            "Fetch it again."
        )
    files = sorted(set(weight_map.values()))
    if (folder / form.single).is_file() and files != [form.single]:
        # Libraries disagree on which of the two counts.
        raise CheckpointError(
            f"{name} has both {form.single} and {form.index} with other shards. Remove the one "
            "that is not meant."
        )
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise CheckpointError(
            f"{name} lacks {len(missing)} of {len(files)} shards, the first is {missing[0]}. "
            "Complete the download."
        )
    found = {file: read_file(folder / file) for file in files}
    strays = [tensor for tensor, file in weight_map.items() if tensor not in found[file]]
    if strays:
        raise CheckpointError(
            f"{folder / form.index} places {strays[0]} in {weight_map[strays[0]]}, which does "
            f"not hold it ({len(strays)} such tensors). Index and shards are of different saves."
        )
    unlisted = sorted({t for tensors in found.values() for t in tensors} - weight_map.keys())
    if unlisted:
        # Engines load whatever the shards hold.
        raise CheckpointError(
            f"{folder / form.index} does not list {unlisted[0]}, which its shards hold "
            f"({len(unlisted)} such tensors). Index and shards are of different saves."
        )
    return {tensor: found[file][tensor] for tensor, file in weight_map.items()}


def _alone(form: Format, folder: Path, name: str) -> dict[str, TensorHeader]:
    files = form.files(folder)
    if folder / form.single in files:
        files = [folder / form.single]
    if len(files) > 1:
        raise CheckpointError(
            f"{name} has {len(files)} {form.pattern} files and no {form.index} that says which of them "
            "make up the model. Complete the download."
        )
    return read_file(files[0])


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and Path(name).name == name
