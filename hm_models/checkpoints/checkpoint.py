"""One checkpoint: its config, its tensors' headers and its content identity, without its weights.

A checkpoint is a folder, or a model on the hub, with `config.json` and files of weights
(`hm_models.checkpoints.shards`). Only the files' headers are read here, so that whatever is wrong with a
checkpoint is said before any weight is loaded.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from hm_models.checkpoints.adaptation import Adapting, Change
from hm_models.checkpoints.adapter import Adapter, holds_adapter, read_adapter
from hm_models.checkpoints.adapter_folder import folder_of
from hm_models.checkpoints.config_class import ties_embeddings
from hm_models.checkpoints.content import content_hash, sample, stamp
from hm_models.checkpoints.headers import (
    ADAPTER_CONFIG,
    INDEX_FILE,
    TensorHeader,
    read_object,
)
from hm_models.checkpoints.locate import DESCRIPTIONS, locate
from hm_models.checkpoints.names import unwrapped
from hm_models.checkpoints.shards import read_headers, unread_beside
from hm_models.errors import CheckpointError

# What hm_models.merge.writer leaves in a merged checkpoint: where it came from, not what it is.
MANIFEST = "hindsight_merge.json"
# What describes weights or a training, and no model that is made of the checkpoint.
NOT_COPIED = ("*.index.json", MANIFEST, ADAPTER_CONFIG, "trainer_state.json", "*_results.json")
TOKENIZER_FILES = [
    *("tokenizer*", "tekken.json", "vocab*", "merges.txt", "*.model", "*.tiktoken"),
    *("special_tokens_map.json", "added_tokens.json", "chat_template*"),
]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk, opened by `Checkpoint.open`.

    Attributes:
        folder: of its config and tokenizer; the weights lie in it, unless it is made of an adapter.
        revision: the commit on the hub.
        tensors: headers by name, without what wrappers of a training put into names.
        stamps: what its files of weights were as they were opened.
        adapted: what it is made of, where that is an adapter.
        is_wrapped: whether the files have names with it.
    """

    name: str
    folder: Path
    revision: str | None
    config: dict[str, Any]
    tensors: dict[str, TensorHeader]
    stamps: dict[Path, str]
    adapted: Adapted | None = None
    is_wrapped: bool = False

    @classmethod
    def open(
        cls, name: str, revision: str | None = None, base: Checkpoint | None = None
    ) -> Checkpoint:
        """Open a folder or a hub model, reading configs and headers alone.

        Args:
            base: what an adapter is added to, in place of the model that it names itself.

        Raises:
            CheckpointError: no such checkpoint, no config, no safetensors, quantised weights, a
                shard that is missing, truncated or corrupt; an adapter that is no sum of weights, or not
                one with those of its base.
        """
        folder, revision = locate(name, revision)
        if holds_adapter(folder):
            return cls._adapt(name, folder, revision, base)
        config = _read_config(folder, name)
        if quantised := config.get("quantization_config"):
            known = isinstance(quantised, dict) and quantised.get("quant_method")
            method = known or "unknown method"
            raise CheckpointError(
                f"{name} is quantised ({method}, see quantization_config in its config.json). "
                "Merging needs bfloat16, float16 or float32 weights: use the unquantised checkpoint."
            )
        found = read_headers(folder, name)
        tensors = {unwrapped(tensor): header for tensor, header in found.items()}
        wrapped = tensors.keys() != found.keys()
        return cls(name, folder, revision, config, tensors, _stamps(tensors), is_wrapped=wrapped)

    @classmethod
    def _adapt(
        cls, name: str, folder: Path, revision: str | None, base: Checkpoint | None
    ) -> Checkpoint:
        adapter = read_adapter(folder, name)
        remarks = []
        if base is None:
            base = cls._named_by(adapter)
        elif (own := adapter.config.base) and PurePath(own).name != PurePath(base.name).name:
            remarks.append(f"{name} names {own} as its base, and is added to {base.name}")
        on_base = base.name, base.config, base.tensors, base.ties_embeddings
        made = Adapting(adapter, *on_base).adaptation()
        files = cls(name, folder, revision, base.config, adapter.tensors, _stamps(adapter.tensors))
        theirs = files.tokenizer_files
        ours = set(base.tokenizer_files if files.has_tokenizer else [])
        config = base.config | made.overrides
        together = folder_of(config, [*(f for f in base.companions if f not in ours), *theirs])
        stamps = base.stamps | files.stamps
        adapted = Adapted(base, files, made.changes, [*remarks, *made.remarks])
        return cls(name, together, revision, config, made.tensors, stamps, adapted)

    @classmethod
    def _named_by(cls, adapter: Adapter) -> Checkpoint:
        name, revision = adapter.base()
        try:
            return cls.open(name, revision)
        except CheckpointError as error:
            raise CheckpointError(
                f"{adapter.name} is an adapter of {name}, which cannot be used: {error} Or give another copy "
                "of the model that it was trained on: base=PATH."
            ) from None

    @property
    def model_type(self) -> str:
        return str(self.config.get("model_type"))

    @property
    def ties_embeddings(self) -> bool:
        """Whether the config, or else its class, says that the output head is the input embedding."""
        return ties_embeddings(self.config, self.name)

    @property
    def companions(self) -> list[Path]:
        """The files beside the weights: config, tokenizer, chat template and the like.

        With them the code that a config names, which needs trust_remote_code=true to be run.
        """
        files = self._descriptions + (self._files(["*.py"]) if self.needs_code else [])
        return [file for file in files if not any(file.match(one) for one in NOT_COPIED)]

    @property
    def tokenizer_files(self) -> list[Path]:
        """The tokenizer's, and the chat template; none in what some trainers save between."""
        return self._files(TOKENIZER_FILES)

    @property
    def has_tokenizer(self) -> bool:
        return any(not file.match("chat_template*") for file in self.tokenizer_files)

    @property
    def needs_code(self) -> bool:
        """Whether a config names classes of the repository's own."""
        tokenizer = self.folder / "tokenizer_config.json"
        named = [self.config, read_object(tokenizer) if tokenizer.is_file() else {}]
        return any("auto_map" in config for config in named)

    @property
    def _descriptions(self) -> list[Path]:
        return [
            file
            for file in self._files(DESCRIPTIONS)
            if file.name not in (INDEX_FILE, MANIFEST, ADAPTER_CONFIG)
        ]

    def _files(self, patterns: list[str]) -> list[Path]:
        found = {file for pattern in patterns for file in self.folder.glob(pattern)}
        # A pipe of such a name would never end.
        return sorted(file for file in found if file.is_file())

    @property
    def remarks(self) -> list[str]:
        """What of the folder is left aside."""
        if self.adapted:
            return self.adapted.remarks
        unread = unread_beside(self.folder)
        return (
            [f"{unread} of {self.name} is left unread, as there is .safetensors"] if unread else []
        )

    @property
    def has_adapter(self) -> bool:
        """Whether an adapter lies beside the full weights, where some libraries would add it."""
        return (self.folder / ADAPTER_CONFIG).is_file()

    @property
    def is_plain(self) -> bool:
        """Whether libraries read the folder as we do: its own weights by their own names, no adapter."""
        return not (self.has_adapter or self.is_wrapped or self.adapted)

    def seems(self, other: Checkpoint) -> bool:
        """Whether both hold the same weights wherever they are compared: all over each file."""
        if len(self._weight_files) != len(other._weight_files):
            return False
        pairs = zip(self._weight_files, other._weight_files, strict=True)
        return all(
            ours.samefile(theirs) or sample(ours) == sample(theirs) for ours, theirs in pairs
        )

    @property
    def _weight_files(self) -> list[Path]:
        return sorted(self.stamps, key=lambda file: file.name)

    def check_unchanged(self) -> None:
        """Raise CheckpointError if a weight file is not what it was when its header was read."""
        for file, before in self.stamps.items():
            if not file.is_file() or stamp(file) != before:
                raise CheckpointError(
                    f"{file} was changed or removed since it was opened. What was loaded from it and "
                    "what it holds now must not be mixed: make a new model."
                )

    def identity(self) -> str:
        """A SHA-256 over the content of config, tokenizer and weights, whatever the folder's name."""
        files = {*self.stamps, *self._descriptions}
        digests = sorted((file.name, content_hash(file)) for file in files)
        if self.adapted:
            digests.append(("changes", self.adapted.digest()))
        return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Adapted:
    """How a checkpoint is made of an adapter.

    Attributes:
        base: what the adapter is added to.
        files: the adapter's own tensors, under the names in its file.
        changes: what becomes of the base's tensors, by name.
    """

    base: Checkpoint
    files: Checkpoint
    changes: dict[str, Change]
    remarks: list[str]

    def digest(self) -> str:
        """A SHA-256 over what is done with the files' content."""
        changes = {name: dataclasses.asdict(change) for name, change in self.changes.items()}
        return hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()


def opened_adapter(name: str, revision: str | None = None) -> Adapter | None:
    """The adapter that a name is of; None where it is a checkpoint of its own.

    Raises:
        CheckpointError: there is no such folder or model, or the adapter cannot be used.
    """
    folder, _ = locate(name, revision)
    return read_adapter(folder, name) if holds_adapter(folder) else None


def _stamps(tensors: Mapping[str, TensorHeader]) -> dict[Path, str]:
    return {file: stamp(file) for file in {header.file for header in tensors.values()}}


def _read_config(folder: Path, name: str) -> dict[str, Any]:
    if not (folder / "config.json").exists():
        raise CheckpointError(
            f"{name} is no checkpoint: it has no config.json. Expected a folder as written by "
            "`save_pretrained`."
        )
    return read_object(folder / "config.json")
