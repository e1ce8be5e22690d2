"""Which arguments an engine takes for a merge; everything else is refused before anything is loaded.

    >>> from hm_models.engines.hf import HfEngine
    >>> check_arguments(HfEngine, {"max_lenght": 2048}, on_disk=False)
    Traceback (most recent call last):
    hm_models.errors.RecipeError: max_lenght is no argument ... Did you mean max_length?

The harness's classes pass on what they do not know, and where they are handed a model that is loaded
already they drop it: a typing error, or a wish that a merge cannot fulfil, would change nothing and say
nothing. So what is not known to act is an error, at every alpha alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from hm_models.engines.base import Engine
from hm_models.errors import RecipeError, did_you_mean

ADAPTERS = "is not supported: give the adapter as instruct=ADAPTER, or as base=ADAPTER"
QUANTISED = (
    "is not supported: a merge needs unquantised weights. quantization_config={...} quantises them as "
    'they load, for example {"load_in_8bit": true}'
)
ONE_CHECKPOINT = "is not supported: base_revision and instruct_revision say it for each side"
# Refused whatever the backend would make of them: patterns of names, and why.
REFUSED = {
    r"peft|delta|.*lora.*|adapter.*|default_mm_loras": ADAPTERS,
    r"load_in_[48]bit|bnb_.*|llm_int8_.*|autogptq|gptqmodel|gguf_file": QUANTISED,
    r"revision|code_revision|subfolder|variant|model_weights|hf_config_path": ONE_CHECKPOINT,
    r"state_dict|config|key_mapping|ignore_mismatched_sizes|use_safetensors|weights_only": (
        "is not supported: it would load other weights, or fewer, than those of the merge"
    ),
    r"model|served_model_name|pretrained": (
        "is not supported: hm-merged takes base= and instruct= in its place"
    ),
}
# What the harness's command line always passes; it is no wish of the user.
DEFAULTS = {"device": ("cuda:0", "cuda")}


def check_arguments(
    engine: type[Engine], arguments: Mapping[str, Any], on_disk: bool, ours: Iterable[str] = ()
) -> None:
    """Refuse what the engine does not take for a merge.

    Args:
        arguments: all of the user's.
        on_disk: whether the backend reads a merged checkpoint (`materialize=true`).
        ours: the arguments that hm-merged takes itself.

    Raises:
        RecipeError: an unknown name (the nearest known is named), one that has no effect or another
            one than its name says, or a value of the wrong kind.
    """
    known, ours = engine.known_arguments(), set(ours)
    for name, value in arguments.items():
        if name in ours:
            continue
        reasons = (reason for pattern, reason in REFUSED.items() if re.fullmatch(pattern, name))
        if reason := next(reasons, None) or engine.reason_against(name, arguments, on_disk):
            if value not in (None, False):
                raise RecipeError(f"{name} {reason}.")
        elif name not in known:
            if value is None or value in DEFAULTS.get(name, ()):
                continue
            raise RecipeError(_unknown(engine, name, known | ours))
        if name == "batch_size" and not re.fullmatch(r"\d+|auto(:\d+(\.\d+)?)?", str(value)):
            raise RecipeError(f"batch_size={value!r}: expected a whole number, auto or auto:N.")
        if name == "dtype" and value is not None:
            check_dtype(name, value)
        elif value is not None:
            engine.check_value(name, value)


def _unknown(engine: type[Engine], name: str, known: Iterable[str]) -> str:
    said = f"{name} is no argument of hm-merged or of its backend {engine.name}."
    if other := engine.same_as.get(name):
        return f"{said} Here it is {other}."
    return said + (did_you_mean(name, sorted(known)) or " docs/merging.md says what there is.")


def check_dtype(name: str, value: object) -> None:
    """Raise RecipeError for what is no dtype of weights."""
    found = value if isinstance(value, torch.dtype) else getattr(torch, str(value), None)
    if value != "auto" and not (isinstance(found, torch.dtype) and found.is_floating_point):
        raise RecipeError(
            f"{name}={value!r} is no dtype of weights. Expected auto, float32, bfloat16 or float16."
        )
