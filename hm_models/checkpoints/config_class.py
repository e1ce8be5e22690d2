"""A config.json as transformers' class reads it: what it leaves out, and what a field is called today.

>>> as_read({"model_type": "llama", "num_attention_heads": 4}, "ckpt").num_key_value_heads
4
>>> as_read({"model_type": "gemma2"}, "ckpt").tie_word_embeddings
True
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hm_models.errors import CheckpointError


def as_read(config: Mapping[str, Any], name: str) -> Any | None:
    """The object that transformers makes of a config; None where its class is the repository's own.

    Args:
        name: the checkpoint's, for an error.

    Raises:
        CheckpointError: the class refuses it.
    """
    from transformers import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:
        return None
    try:
        plain = json.loads(json.dumps(config), object_hook=_number)
        return CONFIG_MAPPING[config["model_type"]].from_dict(plain)
    except Exception as error:  # each class checks in its own way
        raise CheckpointError(
            f"The config.json of {name} cannot be read as that of a {config['model_type']} model: "
            f"{' '.join(str(error).split())}"
        ) from error


def ties_embeddings(config: Mapping[str, Any], name: str) -> bool:
    """Whether the output head is the input embedding: what a config says, or else its class."""
    for part in (config, config.get("text_config") or {}):
        if "tie_word_embeddings" in part:
            return bool(part["tie_word_embeddings"])
    return bool(getattr(as_read(config, name), "tie_word_embeddings", False))


def _number(value: dict[str, Any]) -> object:
    # How transformers writes the infinities, which JSON does not have.
    return float(value["__float__"]) if value.keys() == {"__float__"} else value
