"""A `.bin` file's tensors: a zip archive by `torch.save`, in which each storage lies as plain bytes.

    read_bin(Path("ckpt/pytorch_model.bin"))["lm_head.weight"].shape

The pickle in it says which tensors there are. It is read by torch with `weights_only=True`, which runs
nothing, and without their data: torch's own reader says where each storage lies
(https://docs.pytorch.org/docs/main/notes/serialization.html). That is compared with the archive's
directory, so that what is mapped later is what was meant. Checksums of data are not computed; a change of
content is seen by the checkpoint's identity.
"""

from __future__ import annotations

import dataclasses
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from hm_models.checkpoints.headers import DTYPES, MOST_DIMENSIONS, TensorHeader
from hm_models.errors import CheckpointError

MOST_PICKLE = 100_000_000  # bytes; names and shapes of a model take some hundred kilobytes
NAMES = {dtype: name for name, dtype in DTYPES.items()}
# A file's local header: signature, then what the directory says too, the lengths of name and extra.
LOCAL_HEADER = struct.Struct("<4s22xHH")
PICKLE = b"\x80\x02"  # how torch's files began before 1.6
SAVE_AGAIN = (
    'Save it again: python -c "import torch, sys; f = sys.argv[1]; '
    "torch.save(torch.load(f, map_location='cpu', weights_only=True), f)\" {}"
)


@dataclasses.dataclass(frozen=True)
class _Record:
    """One file of the archive: its name, and where its bytes begin in the whole."""

    name: str
    offset: int
    bytes: int


def read_bin(file: Path) -> dict[str, TensorHeader]:
    """The file's tensors by name, in its own order.

    Raises:
        CheckpointError: it is truncated, damaged, of the format before torch 1.6, or holds anything but
            tensors by their names.
    """
    records = _records(file)
    content = _unpickled(file)
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{file} holds no tensors by their names. Save the model with save_pretrained."
        )
    return {
        _name(file, name): _header(file, name, value, records) for name, value in content.items()
    }


def _records(file: Path) -> dict[int, _Record]:
    """The archive's files by where their bytes begin, each stored as it is."""
    with file.open("rb") as stream:
        if stream.read(len(PICKLE)) == PICKLE:
            raise CheckpointError(
                f"{file} is in torch's format of before 1.6, which cannot be mapped into memory. "
                f"{SAVE_AGAIN.format(file)}"
            )
        try:
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
            found = [_Record(m.filename, _data_of(stream, m), m.file_size) for m in members]
        except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, OSError):
            raise CheckpointError(
                f"{file} is truncated, damaged, or was not written by torch.save. Fetch it again."
            ) from None
    if packed := [m for m in members if m.compress_type or m.flag_bits & 1]:
        raise CheckpointError(
            f"{file} is packed ({packed[0].filename!a}), which torch.save does not do, so its "
            f"tensors cannot be mapped into memory. {SAVE_AGAIN.format(file)}"
        )
    for record in found:
        if record.name.endswith("data.pkl") and record.bytes > MOST_PICKLE:
            raise CheckpointError(
                f"{file}: its list of tensors has {record.bytes:,} bytes, which is no model's. Fetch it "
                "again."
            )
    return {record.offset: record for record in found if record.bytes}


def _data_of(stream: Any, member: zipfile.ZipInfo) -> int:
    stream.seek(member.header_offset)
    signature, name, extra = LOCAL_HEADER.unpack(stream.read(LOCAL_HEADER.size))
    if signature != b"PK\3\4":
        raise zipfile.BadZipFile(f"no file at {member.header_offset}")
    data = member.header_offset + LOCAL_HEADER.size + name + extra
    if data + member.compress_size > stream.seek(0, 2):
        raise zipfile.BadZipFile(f"{member.filename} ends behind the archive")
    return data


def _unpickled(file: Path) -> Any:
    """What was saved, with tensors that have no data and know their storage's place."""
    try:
        with FakeTensorMode():
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle of anybody's making ends in anything
        words = " ".join(str(error).split())
        if found := re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", words):
            raise CheckpointError(
                f"{file} holds more than tensors ({found[1]}), and nothing in it was run. Save the "
                "model's weights alone, with save_pretrained."
            ) from None
        raise CheckpointError(
            f"{file} cannot be read by torch.load(weights_only=True) ({type(error).__name__}: "
            f"{words[:200]}). Fetch it again, or save the model with save_pretrained."
        ) from None


def _name(file: Path, name: object) -> str:
    if not isinstance(name, str):
        raise CheckpointError(
            f"{file} has an entry under {name!r:.60}, which is no tensor's name. Save the model with "
            "save_pretrained."
        )
    return name


def _header(file: Path, name: str, value: object, records: Mapping[int, _Record]) -> TensorHeader:
    if isinstance(value, Mapping):
        raise CheckpointError(
            f"{file} is a training program's checkpoint, whose {name!r} holds {len(value)} entries. Save "
            f"the weights alone: torch.save(torch.load(FILE, weights_only=True)[{name!r}], FILE)."
        )
    if not isinstance(value, torch.Tensor):
        raise CheckpointError(
            f"{name} in {file} is a {type(value).__name__}, no tensor. Save the model's weights alone, "
            "with save_pretrained."
        )
    plain = value.layout is torch.strided and not (value.is_quantized or value.is_neg())
    if not plain or value.ndim > MOST_DIMENSIONS:
        raise CheckpointError(
            f"{name} in {file} is no plain tensor ({value.layout}, {value.dtype}). Merging needs dense "
            "bfloat16, float16 or float32 weights: use the unquantised checkpoint."
        )
    dtype = NAMES.get(value.dtype, str(value.dtype).removeprefix("torch."))
    shape = tuple(value.shape)
    if not value.numel():
        return TensorHeader(file, dtype, shape, 0, 0)
    item = value.dtype.itemsize
    first = int(value.storage_offset()) * item
    steps = zip(shape, value.stride(), strict=True)
    size = (1 + sum((length - 1) * stride for length, stride in steps)) * item
    offset = getattr(value.untyped_storage(), "_checkpoint_offset", None)  # torch's own name for it
    record = records.get(offset) if offset is not None else None
    if record is None or "/data/" not in record.name or first + size > record.bytes:
        raise CheckpointError(
            f"{name} in {file} lies where the file has no such data: it is damaged, or was not written by "
            f"torch.save. Fetch it again. {SAVE_AGAIN.format(file)}"
        )
    strides = None if value.is_contiguous() else tuple(value.stride())
    return TensorHeader(file, dtype, shape, record.offset + first, size, strides)
