"""What a LoRA adapter's adapter_config.json asks for; what is no sum of weights is refused by name.

    >>> config = LoraConfig.of({"peft_type": "LORA", "r": 8, "lora_alpha": 16}, "ckpt/adapter")
    >>> config.scale("model.layers.0.mlp.up_proj", rank=8)
    2.0

The fields are PEFT's (`peft.LoraConfig`, 0.21). An unknown one that is set may change what the adapter adds, so
it is refused as well.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from hm_models.errors import CheckpointError

# Fields that a merge needs not know: of the training, of the file, or seen by the adapter's tensors.
WITHOUT_EFFECT = {
    *("auto_mapping", "task_type", "inference_mode", "peft_version", "runtime_config"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("modules_to_save", "bias", "lora_bias", "lora_dropout", "megatron_core"),
    *("qalora_group_size", "eva_config", "corda_config", "lora_ga_config", "loftq_config"),
    *("merge_weights", "enable_lora"),
}
USED = {
    *("peft_type", "base_model_name_or_path", "revision", "r", "lora_alpha", "rank_pattern"),
    *("alpha_pattern", "use_rslora", "use_dora", "fan_in_fan_out", "trainable_token_indices"),
    *("init_lora_weights", "ensure_weight_tying"),
}
# Fields of adapters that are no sum of weights with those of their base's files, and why.
REFUSED = {
    "layer_replication": "it repeats layers of its base",
    "megatron_config": "it is made for Megatron's layers",
    "target_parameters": "it adapts parameters of fused experts, which files hold one by one",
    "use_qalora": "it adds to pooled inputs of a quantised base",
    "alora_invocation_tokens": "it acts on a part of the text alone",
    "arrow_config": "it chooses among adapters for each token",
    "kasa_config": "its base has been truncated",
    "use_bdlora": "its factors are blocks",
    "monteclora_config": "it draws its weights at random",
    "velora_config": "its variant of LoRA is not known here",
}
# What starts from the default base: others take from the base what the adapter then starts with.
STARTS = (True, False, None, "true", "gaussian", "eva", "orthogonal", "mica")
BY_PEFT = "Merge it with PEFT's merge_and_unload, and give the result as instruct."


@dataclasses.dataclass(frozen=True)
class LoraConfig:
    """Attributes:
    base, revision: the model that the adapter was trained on, as its config has it.
    rank, alpha: of modules that the patterns do not name; patterns are regular expressions of names.
    ensures_tying: whether what is trained of an embedding holds for a head that is tied to it.
    token_indices: rows of an embedding that were trained, for all embeddings (`""`) or by module.
    """

    base: str | None
    revision: str | None
    rank: int
    alpha: float
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    is_rslora: bool
    is_dora: bool
    fan_in_fan_out: bool
    ensures_tying: bool
    token_indices: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, config: Mapping[str, Any], name: str) -> LoraConfig:
        """Read a config.

        Args:
            name: what to call the adapter in an error.

        Raises:
            CheckpointError: it is no LoRA adapter, one that is no sum of weights, or its config is damaged.
        """
        kind = config.get("peft_type")
        if kind != "LORA":
            raise CheckpointError(
                f"{name} is an adapter of type {kind}, and only LORA adapters are sums of weights that can "
                f"be merged here. {BY_PEFT if kind in ('ADALORA', 'LOHA', 'LOKR', 'OFT', 'BOFT') else ''}"
            )
        _refuse(config, name)
        try:
            return cls(
                config.get("base_model_name_or_path") or None,
                config.get("revision") or None,
                int(config["r"]),
                float(config["lora_alpha"]),
                dict(config.get("rank_pattern") or {}),
                dict(config.get("alpha_pattern") or {}),
                bool(config.get("use_rslora")),
                bool(config.get("use_dora")),
                bool(config.get("fan_in_fan_out")),
                bool(config.get("ensure_weight_tying")),
                _indices(config.get("trainable_token_indices")),
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"The adapter_config.json of {name} cannot be read ({type(error).__name__}: {error}). "
                "Fetch it again."
            ) from None

    def scale(self, module: str, rank: int) -> float:
        """What the product of a module's two factors is multiplied by.

        Raises:
            ValueError: the config has another rank for this module.
        """
        expected = _of_pattern(self.ranks, module, self.rank)
        if expected != rank:
            raise ValueError(f"rank {rank}, and adapter_config.json says {expected}")
        alpha = float(_of_pattern(self.alphas, module, self.alpha))
        return alpha / (math.sqrt(rank) if self.is_rslora else rank)

    def tokens(self, module: str) -> tuple[int, ...]:
        """The rows of an embedding that were trained one by one."""
        for name, indices in self.token_indices.items():
            if name in ("", module) or module.endswith(f".{name}"):
                return indices
        return ()


def _refuse(config: Mapping[str, Any], name: str) -> None:
    start = config.get("init_lora_weights", True)
    if start not in STARTS:
        raise CheckpointError(
            f"{name} was initialised by {start} (init_lora_weights), which took from its base what the "
            "adapter starts with: added to the base as it is, it is another model. Save it with PEFT's "
            "save_pretrained(..., path_initial_model_for_weight_conversion=...), or merge it with PEFT."
        )
    for field, value in config.items():
        if not value or field in WITHOUT_EFFECT or field in USED:
            continue
        reason = REFUSED.get(field, "and what it means is not known here")
        raise CheckpointError(
            f"{name} has {field}={value!r:.80} in its adapter_config.json: {reason}. {BY_PEFT}"
        )


def _indices(given: Any) -> dict[str, tuple[int, ...]]:
    if not given:
        return {}
    named = given if isinstance(given, Mapping) else {"": given}
    return {module: tuple(map(int, rows)) for module, rows in named.items()}


def _of_pattern(patterns: Mapping[str, Any], module: str, otherwise: Any) -> Any:
    """By PEFT's rule: the first pattern that is the name, or its end behind a dot."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return otherwise
