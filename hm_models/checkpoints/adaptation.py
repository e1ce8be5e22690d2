"""What a LoRA adapter makes of its base's tensors: decided from names and headers alone.

    adapting = Adapting(adapter, "ckpt/base", base.config, base.tensors, base.ties_embeddings)
    adapting.adaptation().changes["model.layers.0.mlp.up_proj.weight"].low_rank.scale

It is what PEFT's `merge_and_unload` does (0.21). Every tensor of the adapter must fit one of the base's, else
the adapter is refused.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from hm_models.checkpoints.adapter import BIAS, MAGNITUDE, TOKENS, Adapter
from hm_models.checkpoints.headers import DTYPES, TensorHeader, same_content
from hm_models.checkpoints.lora_config import BY_PEFT
from hm_models.checkpoints.names import is_embedding, is_head, is_vocabulary, spelled_as
from hm_models.errors import CheckpointError

# transformers' Conv1D holds a weight as (inputs, outputs): the modules of GPT-2 and GPT that are made of it.
CONV1D_MODELS = ("gpt2", "openai-gpt")
CONV1D_MODULES = ("c_attn", "q_attn", "c_proj", "c_fc")
SHOWN = 3  # names in an error
LINEAR, EMBEDDING = ("lora_B", "lora_A"), ("lora_embedding_B", "lora_embedding_A")


@dataclasses.dataclass(frozen=True)
class LowRank:
    """scale * (up @ down) is added, or its transpose; then come DoRA's magnitudes, one for each output.

    `up`, `down` and `magnitude` are names of the adapter's tensors.
    """

    up: str
    down: str
    scale: float
    is_transposed: bool
    magnitude: str | None


@dataclasses.dataclass(frozen=True)
class Change:
    """What becomes of one tensor, in this order.

    Attributes:
        whole: the adapter's tensor that takes its place.
        of: the base's tensor that it is made of, where that has another name.
        low_rank: what is added.
        bias: the adapter's tensor that is added, and its factor.
        rows: the adapter's tensor of new rows, and which rows they are.
    """

    whole: str | None = None
    of: str | None = None
    low_rank: LowRank | None = None
    bias: tuple[str, float] | None = None
    rows: tuple[str, tuple[int, ...]] | None = None


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """An adapter on a base.

    Attributes:
        changes: by the names of the result's tensors.
        tensors: headers of the result, each in its base's dtype.
        overrides: fields of the base's config that the result has otherwise.
        remarks: what a user should know of it.
    """

    changes: dict[str, Change]
    tensors: dict[str, TensorHeader]
    overrides: dict[str, Any]
    remarks: tuple[str, ...]


class Adapting:
    """An adaptation in the making.

    Args:
        base: what to call the base in an error.
        config, tensors: the base's config, and the headers of its tensors.
        ties_embeddings: whether the base's head is its embedding.
    """

    def __init__(
        self,
        adapter: Adapter,
        base: str,
        config: Mapping[str, Any],
        tensors: Mapping[str, TensorHeader],
        ties_embeddings: bool,
    ) -> None:
        self._adapter, self._base, self._config = adapter, base, config
        self._tensors = dict(tensors)
        self._changes: dict[str, Change] = {}
        self._overrides: dict[str, Any] = {}
        self._remarks: list[str] = []
        self._unknown: list[str] = []
        modules = [f"{module}.{kind}" for module in adapter.factors for kind in ("weight", "bias")]
        self._names = spelled_as([*modules, *adapter.shared, *adapter.saved], tensors)
        # A tied head is no tensor of its own, though some tools save a copy of the embedding as one.
        self._embedding = next(filter(is_embedding, tensors), None) if ties_embeddings else None
        if self._embedding and any(map(is_vocabulary, self._names.values())):
            for copy in filter(is_head, tensors):
                del self._tensors[copy]

    def adaptation(self) -> Adaptation:
        """What the adapter makes of the base's tensors; asked for once.

        Raises:
            CheckpointError: a tensor fits none of the base's, has another shape, or lacks its other half.
        """
        self._replace()
        for module, parts in self._adapter.factors.items():
            self._add(module, parts)
        if self._unknown:
            raise CheckpointError(
                f"{self._adapter.name}: {len(self._unknown)} of its {len(self._adapter.tensors)} tensors fit "
                f"none of {self._base}, first {', '.join(self._unknown[:SHOWN])}. Give the model that it was "
                f"trained on as base. If that is it: {BY_PEFT}"
            )
        if not self._changes:
            raise CheckpointError(f"{self._adapter.name} holds no tensors of LoRA. Fetch it again.")
        return Adaptation(self._changes, self._tensors, self._overrides, tuple(self._remarks))

    def _replace(self) -> None:
        """Take the tensors that the adapter brings as a whole."""
        own = self._adapter.tensors
        for name, tensor in self._adapter.shared.items():
            self._put(self._place(name), Change(whole=tensor), own[tensor])
        saved = {self._names[name]: tensor for name, tensor in self._adapter.saved.items()}
        heads = {place: saved.pop(place) for place in list(saved) if self._is_tied(place)}
        before = self._tensors.copy()
        for place, tensor in saved.items():
            self._put(place, Change(whole=tensor), own[tensor])
        embedding = self._embedding
        if embedding is None or self._adapter.config.ensures_tying:
            return
        theirs = own[saved[embedding]] if embedding in saved else before[embedding]
        for head, tensor in heads.items():
            if not same_content(own[tensor], theirs):
                self._untie(head, Change(whole=tensor), own[tensor])
        if embedding in saved and not heads and theirs.shape == before[embedding].shape:
            self._untie("lm_head.weight", Change(of=embedding), theirs)

    def _add(self, module: str, parts: Mapping[str, str]) -> None:
        """Add what a module's factors come to, or put in the rows that were trained alone."""
        place = self._place(f"{module}.weight")
        if place not in self._tensors:
            self._unknown += parts.values()
            return
        if place != self._names[f"{module}.weight"]:
            self._remarks.append(
                f"the {module} of {self._adapter.name} is tied to {place}: what is added to one is added "
                "to both, as by PEFT"
            )
        if TOKENS in parts:
            self._set_rows(module, place, parts[TOKENS])
            return
        low_rank = self._low_rank(module, place, parts)
        if self._changes.get(place, Change()).low_rank:
            raise self._refusal(module, f"{place} is adapted already, as both are tied")
        self._change(place, low_rank=low_rank)
        if BIAS in parts:
            bias = self._names[f"{module}.bias"]
            if bias not in self._tensors or self._shape(parts[BIAS]) != self._tensors[bias].shape:
                raise self._refusal(module, "it adds a bias, and its base has none of that shape")
            self._change(bias, bias=(parts[BIAS], low_rank.scale))

    def _low_rank(self, module: str, place: str, parts: Mapping[str, str]) -> LowRank:
        is_table = bool({*EMBEDDING} & parts.keys())
        names = [parts.get(part) for part in (EMBEDDING if is_table else LINEAR)]
        if None in names:
            there = [name for name in names if name]
            raise self._refusal(
                module, f"of its two factors there is {' and '.join(there) or 'none'}"
            )
        up, down = map(str, names)
        shapes, shape = (self._shape(up), self._shape(down)), self._tensors[place].shape
        if {len(shape), *map(len, shapes)} != {2}:
            raise self._refusal(
                module, f"{list(shape)} is no matrix, and only those can be adapted here"
            )
        (outputs, rank), (other, inputs) = shapes
        is_conv = self._config.get("model_type") in CONV1D_MODELS and module.endswith(
            CONV1D_MODULES
        )
        plain, transposed = shape == (outputs, inputs), shape == (inputs, outputs)
        told = is_table or is_conv or (self._adapter.config.fan_in_fan_out and not plain)
        if rank != other or not (transposed if told else plain):
            raise self._refusal(
                module, f"{list(shapes[0])} times {list(shapes[1])} is not {list(shape)}"
            )
        magnitude = parts.get(MAGNITUDE)
        if (magnitude is not None) != self._adapter.config.is_dora:
            raise self._refusal(
                module, f"use_dora={self._adapter.config.is_dora}, and {MAGNITUDE} is {magnitude}"
            )
        if magnitude is not None and math.prod(self._shape(magnitude)) != outputs:
            raise self._refusal(module, f"{magnitude} has not {outputs} values")
        try:
            scale = self._adapter.config.scale(module, rank)
        except ValueError as error:
            raise self._refusal(module, str(error)) from None
        return LowRank(up, down, scale, told, magnitude)

    def _set_rows(self, module: str, place: str, tensor: str) -> None:
        indices, shape = self._adapter.config.tokens(module), self._tensors[place].shape
        if (
            self._shape(tensor) != (len(indices), *shape[1:])
            or max(indices, default=-1) >= shape[0]
        ):
            raise self._refusal(
                module, f"trainable_token_indices has {len(indices)} rows, not those of {tensor}"
            )
        before = self._changes.get(place, Change()).rows
        own = self._adapter.tensors
        if before and (before[1] != indices or not same_content(own[before[0]], own[tensor])):
            raise self._refusal(module, f"{place} has other new rows already, as both are tied")
        self._change(place, rows=(tensor, indices))

    def _is_tied(self, place: str) -> bool:
        return self._embedding is not None and is_head(place) and place not in self._tensors

    def _place(self, name: str) -> str:
        """The tensor of the base that a name of the adapter's means."""
        place = self._names[name]
        return str(self._embedding) if self._is_tied(place) else place

    def _put(self, place: str, change: Change, header: TensorHeader) -> None:
        if place not in self._tensors:
            self._unknown.append(str(change.whole))
            return
        before = self._tensors[place].shape
        is_resized = header.shape != before and is_vocabulary(place)
        if header.shape != before and not (is_resized and header.shape[1:] == before[1:]):
            raise self._refusal(place, f"{list(header.shape)} takes the place of {list(before)}")
        self._changes[place] = change
        self._tensors[place] = self._made(header, self._tensors[place].dtype)
        if is_resized and is_embedding(place):
            self._override("vocab_size", header.shape[0])

    def _untie(self, head: str, change: Change, header: TensorHeader) -> None:
        """Give a head that was trained apart from its embedding a tensor of its own."""
        self._changes[head] = change
        self._tensors[head] = self._made(header, self._tensors[str(self._embedding)].dtype)
        self._override("tie_word_embeddings", False)
        self._remarks.append(
            f"{self._adapter.name} unties the output head of {self._base}: one of the two was trained alone"
        )

    def _change(self, place: str, **fields: Any) -> None:
        self._changes[place] = dataclasses.replace(self._changes.get(place, Change()), **fields)

    def _override(self, field: str, value: object) -> None:
        text = self._overrides.get("text_config") or self._config.get("text_config") or {}
        if is_nested := field in text:
            self._overrides["text_config"] = text | {field: value}
        if field in self._config or not is_nested:
            self._overrides[field] = value

    def _shape(self, tensor: str) -> tuple[int, ...]:
        return self._adapter.tensors[tensor].shape

    def _refusal(self, where: str, what: str) -> CheckpointError:
        return CheckpointError(
            f"{self._adapter.name} does not fit {self._base} at {where}: {what}. Give the model that it was "
            "trained on as base, and see that the adapter is whole."
        )

    @staticmethod
    def _made(header: TensorHeader, dtype: str) -> TensorHeader:
        size = math.prod(header.shape) * DTYPES[dtype].itemsize
        return dataclasses.replace(header, dtype=dtype, bytes=size, strides=None)
