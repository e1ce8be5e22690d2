"""A merge as the YAML with which `mergekit-yaml` makes it again: the way back of `mergekit_yaml`.

    text = mergekit_file(recipe, plan)      # mergekit_config.yml of a written merge

Comments at its top say where mergekit's result would not be the same, bit for bit.
"""

from __future__ import annotations

from typing import Any

import torch
import yaml

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.merge.contract import Merge
from hm_models.merge.parameters import ParameterSources
from hm_models.merge.plan import MergePlan
from hm_models.merge.shards import out_tensors

FILE = "mergekit_config.yml"
# They draw: we from merge_seed and the tensor's name, mergekit from one stream for all tensors.
DRAWING = ("dare_linear", "dare_ties", "della", "della_linear", "arcee_fusion")


def mergekit_file(recipe: Merge, plan: MergePlan) -> str:
    """The configuration's text, with its comments."""
    reasons = other_bits(recipe, plan)
    told = [
        "This merge, for mergekit-yaml. Config, tokenizer and chat template that mergekit writes"
    ]
    source = recipe.tokenizer_source.name
    told += [f"beside it are base_model's, or the first one's; this folder has those of {source}."]
    if reasons:
        told += ["mergekit does not give the same bits here:", *(f"- {why}" for why in reasons)]
    comments = "".join(f"# {line}\n" for line in told)
    return comments + yaml.safe_dump(_content(recipe, plan), sort_keys=False, width=100)


def other_bits(recipe: Merge, plan: MergePlan) -> list[str]:
    """Why mergekit would write other tensors for this recipe; nothing where it writes the same."""
    if recipe.unmerged is not None:
        return []
    reasons = [
        f"{side.name} is a LoRA adapter, which mergekit rounds into a model of its own first"
        for side in recipe.checkpoints
        if side.adapted
    ]
    if any(tensor.rows is not None for tensor in plan.tensors):
        reasons.append("the vocabularies differ, and we match embedding rows by the token's string")
    if plan.config_overrides:
        reasons.append("one side ties its output head, and we take its embedding for it")
    elif any({*tensor.sources} != {tensor.name} for tensor in plan.tensors):
        reasons.append("the models name some tensors differently")
    if recipe.merge_method in DRAWING:
        reasons.append(f"{recipe.merge_method} draws at random, and mergekit in another order")
    dtypes = {tensor.dtype for tensor in out_tensors(recipe, plan)}
    if any(not dtype.is_floating_point for dtype in dtypes):
        reasons.append("buffers of whole numbers are copied, not merged")
    if sum(dtype.is_floating_point for dtype in dtypes) > 1:
        reasons.append("tensors keep dtypes of their own, and mergekit writes all in one")
    return reasons


def _content(recipe: Merge, plan: MergePlan) -> dict[str, Any]:
    if recipe.unmerged is not None:
        only = {"model": _reference(recipe.unmerged)}
        return {"merge_method": "passthrough", "models": [only]}
    references = [_reference(checkpoint) for checkpoint in recipe.checkpoints]
    base, sources = _parameters(recipe)
    content: dict[str, Any] = {
        "merge_method": recipe.merge_method,
        "models": [
            {"model": model} | ({"parameters": dict(own)} if own else {})
            for model, own in zip(references, sources.per_input.values(), strict=True)
        ],
    }
    if base is not None:
        content["base_model"] = references[base]
    if sources.shared:
        content["parameters"] = dict(sources.shared)
    if recipe.merge_dtype:
        content["dtype"] = recipe.merge_dtype
    dtypes = {tensor.dtype for tensor in out_tensors(recipe, plan)}
    floating = {_name(dtype) for dtype in dtypes if dtype.is_floating_point}
    if len(floating) == 1:
        content["out_dtype"] = floating.pop()
    return content


def _parameters(recipe: Merge) -> tuple[int | None, ParameterSources]:
    """The place of the method's base, and mergekit's parameters."""
    if recipe.linear_weights is None:
        return recipe.inputs.base_index, recipe.sources
    # The same without importing mergekit, which takes longer than to merge some gigabytes.
    weights = zip(recipe.names, recipe.linear_weights, strict=True)
    return None, ParameterSources({}, {name: {"weight": weight} for name, weight in weights})


def _reference(checkpoint: Checkpoint) -> Any:
    """A model as mergekit names it: as text, where it takes nothing in it for a sign of its own."""
    if checkpoint.adapted is not None:
        base, own = map(_reference, (checkpoint.adapted.base, checkpoint.adapted.files))
        paths = [one["model"] if isinstance(one, dict) else {"path": one} for one in (base, own)]
        return {"model": paths[0], "lora": paths[1]}
    if checkpoint.revision is not None:
        return {"model": {"path": checkpoint.name, "revision": checkpoint.revision}}
    path = str(checkpoint.folder)
    return {"model": {"path": path}} if "@" in path or "+" in path else path


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
