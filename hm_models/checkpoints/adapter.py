"""A LoRA adapter (PEFT): its config, and the headers of its tensors by what they are of which module.

    adapter = read_adapter(Path("ckpt/adapter"), "ckpt/adapter")
    adapter.factors["model.layers.0.mlp.up_proj"]["lora_A"]      # the name of a tensor of its file

The names are those that PEFT saves (`peft.utils.save_and_load`), with or without the adapter's own name in
them.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from pathlib import Path

from hm_models.checkpoints.headers import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    TensorHeader,
    read_object,
)
from hm_models.checkpoints.lora_config import LoraConfig
from hm_models.checkpoints.shards import FORMATS, read_file
from hm_models.errors import CheckpointError

PREFIX = "base_model.model."
TOKENS, BIAS, MAGNITUDE = "trainable_tokens", "bias", "lora_magnitude_vector"
# A module, which part of LoRA, the adapter's own name where a file keeps it, and weight or bias.
_FACTOR = re.compile(
    rf"(?P<module>.+)\.(?P<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B|{MAGNITUDE})"
    r"(?:\.(?!weight$|bias$)(?P<own>[^.]+))?(?:\.(?P<kind>weight|bias))?"
)
_TOKENS = re.compile(
    rf"(?P<module>.+)\.token_adapter\.{TOKENS}_delta(?:\.(?P<own>[^.]+))?(?P<part>)(?P<kind>)"
)
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_SHARED = re.compile(r"\.(token_adapter\.)?base_layer(?=\.(weight|bias)$)")
_SAVED = re.compile(r"\.modules_to_save(\.[^.]+)?(?=\.(weight|bias)$)")


@dataclasses.dataclass(frozen=True)
class Adapter:
    """Attributes:
    tensors: headers, under the names in the file, as in all that follows.
    factors: by module, then by part: lora_A, lora_B, lora_embedding_A, lora_embedding_B,
        lora_magnitude_vector, bias (of lora_B), trainable_tokens.
    shared: what takes the place of a module's own tensor, wherever else that is used; by the module's tensor.
    saved: modules that were trained as a whole, copies of their own; by the module's tensor.
    """

    name: str
    folder: Path
    config: LoraConfig
    tensors: dict[str, TensorHeader]
    factors: dict[str, dict[str, str]]
    shared: dict[str, str]
    saved: dict[str, str]

    def base(self) -> tuple[str, str | None]:
        """The model that it was trained on, and which revision.

        Raises:
            CheckpointError: its config does not say, or names what is neither a folder nor on the hub.
        """
        named = self.config.base
        if named and Path(named).is_dir() and Path(named).resolve() != self.folder:
            return named, None
        if named and HUB_NAME.fullmatch(named) and not Path(named).is_dir():
            return named, self.config.revision
        what = "none as its base"
        if named:
            why = "itself" if Path(named).is_dir() else "no folder here"
            what = f"{named} as its base, which is {why}"
        raise CheckpointError(
            f"{self.name} is an adapter, and its {ADAPTER_CONFIG} names {what}. Give the model that it was "
            "trained on: base=PATH."
        )


def holds_adapter(folder: Path) -> bool:
    """Whether a folder has an adapter and no full weights."""
    is_adapter = (folder / ADAPTER_CONFIG).is_file()
    return is_adapter and not any(form.is_in(folder) for form in FORMATS)


def read_adapter(folder: Path, name: str) -> Adapter:
    """Read config and headers.

    Raises:
        CheckpointError: the adapter is no sum of weights, or its file is missing, truncated or corrupt.
    """
    config = LoraConfig.of(read_object(folder / ADAPTER_CONFIG), name)
    files = [folder / f"{ADAPTER_WEIGHTS}{ending}" for ending in (".safetensors", ".bin")]
    there = [file for file in files if file.is_file()]
    if not there:
        raise CheckpointError(
            f"{name} has {ADAPTER_CONFIG}, but neither {files[0].name} nor {files[1].name}. Complete the "
            "download."
        )
    tensors = read_file(there[0])
    factors: dict[str, dict[str, str]] = defaultdict(dict)
    shared: dict[str, str] = {}
    saved: dict[str, str] = {}
    for tensor in tensors:
        plain = tensor.removeprefix(PREFIX)
        if found := _FACTOR.fullmatch(plain) or _TOKENS.fullmatch(plain):
            part = BIAS if found["kind"] == "bias" else found["part"] or TOKENS
            if part in factors[found["module"]]:
                raise CheckpointError(
                    f"{there[0]} holds two adapters: there is {tensor}, and "
                    f"{factors[found['module']][part]}. Save one of them alone."
                )
            factors[found["module"]][part] = tensor
        elif ".original_module." in plain:
            continue  # what a saved module was made of; its copy counts
        elif _SHARED.search(plain):
            shared[_SHARED.sub("", plain)] = tensor
        elif _SAVED.search(plain):
            # Beside one without the word, that counts.
            saved.setdefault(_SAVED.sub("", plain), tensor)
        else:
            saved[plain] = tensor
    return Adapter(name, folder, config, tensors, dict(factors), shared, saved)
