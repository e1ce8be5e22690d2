"""What is known of a tensor before it is read: file, place, dtype, shape. And the JSON beside weights.

    >>> TensorHeader(Path("model.safetensors"), "BF16", (2, 3), 8, 12).is_float
    True

All formats of weights come to this (`safetensors_file`, `bin_file`), and everything after them reads by
it alone.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from hm_models.errors import CheckpointError
from hm_models.files.text_files import TextFileError, read_json

INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"
# What transformers takes for a wish to add an adapter to the weights beside it. We never do.
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model"
AT_ONCE = 1 << 22  # bytes of a tensor that are compared
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
    """Where one tensor lies.

    Attributes:
        dtype: safetensors' name of it.
        offset, bytes: from its first to its last element in the file.
        strides: in elements, where they are not those of a contiguous tensor, which only `.bin` files
            can have.
    """

    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    bytes: int
    strides: tuple[int, ...] | None = None

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOAT_DTYPES


def same_content(one: TensorHeader, other: TensorHeader) -> bool:
    """Whether two tensors have one shape, dtype and content, which is read for it."""
    form = one.dtype, one.shape, one.bytes, one.strides
    if form != (other.dtype, other.shape, other.bytes, other.strides):
        return False
    with one.file.open("rb") as ours, other.file.open("rb") as theirs:
        ours.seek(one.offset)
        theirs.seek(other.offset)
        parts = range(0, one.bytes, AT_ONCE)
        return all(
            ours.read(size) == theirs.read(size)
            for size in (min(AT_ONCE, one.bytes - start) for start in parts)
        )


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
