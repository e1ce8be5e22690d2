"""The harness's `hf` model of weights that lie in no file: transformers makes it of a state dict.

    HarnessModel(folder, make, device="cpu", dtype="auto")

The harness decides on device, dtype, placement and quantisation as for any checkpoint, and calls `make` where
it would have called transformers' `from_pretrained`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM

from hm_models.errors import RecipeError

# Where a checkpoint lies; weights of a state dict lie nowhere.
OF_A_FOLDER = ("revision", "subfolder", "gguf_file")


class HarnessModel(HFLM):
    """The harness's class with a model of ours.

    Args:
        folder: with config and tokenizer.
        make: gets what the harness gives to `from_pretrained`, without the folder; returns the model.
        quantization_config: how weights are quantised as they load; the harness's own class takes it from a
            checkpoint's config alone, and breaks where it is an argument.
        arguments: those of the harness's class.
    """

    def __init__(
        self,
        folder: Path,
        make: Callable[[dict[str, Any]], Any],
        quantization_config: object = None,
        **arguments: Any,
    ) -> None:
        def from_pretrained(_: str, **given: Any) -> Any:
            return make(given | {"quantization_config": quantization_config})

        self.AUTO_MODEL_CLASS = types.SimpleNamespace(from_pretrained=from_pretrained)
        super().__init__(pretrained=str(folder), **arguments)


def from_folder(folder: Path, given: Mapping[str, Any]) -> Any:
    """A checkpoint's own model."""
    auto, _ = _auto_class(_config(folder, given), folder, given)
    return auto.from_pretrained(folder, **given)


def from_tensors(
    folder: Path,
    tensors: Mapping[str, Any],
    overrides: Mapping[str, object],
    given: Mapping[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """A model of these weights, and what transformers says of their loading.

    Args:
        folder: with the config.
        tensors: by the names of a checkpoint; transformers maps them to its own.
        overrides: fields that the model has otherwise than the config.
        given: arguments of `from_pretrained`.

    Raises:
        RecipeError: transformers has no class that generates text for this config.
    """
    from transformers import GenerationConfig

    model_class, config = _model_class(_config(folder, given), folder, given)
    for field, value in overrides.items():
        setattr(config, field, value)
    model, loading = model_class.from_pretrained(
        None,
        config=config,
        state_dict=dict(tensors),
        output_loading_info=True,
        **{name: value for name, value in given.items() if name not in OF_A_FOLDER},
    )
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model, loading


def _config(folder: Path, given: Mapping[str, Any]) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=given.get("trust_remote_code"))


def _model_class(config: Any, folder: Path, given: Mapping[str, Any]) -> tuple[Any, Any]:
    """The class that transformers' automatic classes would take, and what they would make it of."""
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    auto, known = _auto_class(config, folder, given)
    if own := _own_class(config, auto, given):
        return get_class_from_dynamic_module(own, folder), config
    model_class = known[type(config)]
    text = config.get_text_config()
    of_text = type(config) is not type(text) and model_class.config_class is type(text)
    return model_class, text if of_text else config


def _own_class(config: Any, auto: type, given: Mapping[str, Any]) -> str | None:
    """The class of the repository's own, where it may be run."""
    named = getattr(config, "auto_map", None) or {}
    return named.get(auto.__name__) if given.get("trust_remote_code") else None


def _auto_class(config: Any, folder: Path, given: Mapping[str, Any]) -> tuple[Any, Any]:
    """The automatic class that knows a config, text alone where there is a choice, and what it knows."""
    import transformers

    for auto, known in (
        (transformers.AutoModelForCausalLM, transformers.MODEL_FOR_CAUSAL_LM_MAPPING),
        (
            transformers.AutoModelForImageTextToText,
            transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
        ),
    ):
        if type(config) in known or _own_class(config, auto, given):
            return auto, known
    raise RecipeError(
        f"{folder} is a {config.model_type} model, for which transformers has no class that generates "
        "text. Use backend=vllm, if vLLM has one."
    )
