"""The merged tensors, one at a time: nothing on disk, and never two models in memory.

    for name, tensor in merged_tensors(MergeRecipe(base=B, instruct=I, alpha=0.7)): ...

The arithmetic is mergekit's (`mergekit.merge_methods.merge_tensors`), in `merge_dtype`, rounded
once to the dtype of the instruct tensor: the bits of `mergekit-yaml` with the same dtypes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from hm_models.checkpoint import Checkpoint
from hm_models.preflight import MergePlan, PlannedTensor, plan_merge
from hm_models.recipe import MergeRecipe, RecipeError
from hm_models.vocabulary import NO_ROW


def merged_tensors(
    recipe: MergeRecipe, plan: MergePlan | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name, tensor) of the merge, on the CPU, in the order of the instruct files.

    At alpha 0 and 1 these are that checkpoint's own tensors, names and bytes.

    Raises:
        RecipeError, CheckpointError: the pair cannot be merged; raised before the first tensor. Only
            whole-number buffers with different values are found when it is their turn.
    """
    if recipe.end is not None:
        yield from _own_tensors(recipe.end)
        return
    plan = plan or plan_merge(recipe)
    with recipe.base_checkpoint.reader() as base, recipe.instruct_checkpoint.reader() as instruct:
        for planned in plan.tensors:
            ours, theirs = base(planned.base), instruct(planned.instruct)
            yield planned.name, _merge(recipe, planned, ours, theirs)


def _own_tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, torch.Tensor]]:
    with checkpoint.reader() as read:
        for name in checkpoint.tensors:
            yield name, read(name)


def _merge(
    recipe: MergeRecipe, planned: PlannedTensor, base: torch.Tensor, instruct: torch.Tensor
) -> torch.Tensor:
    if not instruct.is_floating_point():
        if not torch.equal(base, instruct):
            raise RecipeError(
                f"The buffer {planned.name} ({instruct.dtype}) differs between {recipe.base} and "
                f"{recipe.instruct}, and whole numbers cannot be merged."
            )
        return instruct
    if planned.rows is None:
        return _arithmetic(recipe, base, instruct)
    rows = torch.tensor(planned.rows.rows)
    common = rows != NO_ROW
    merged = instruct.clone()  # rows without a counterpart stay the instruct model's
    merged[common] = _arithmetic(recipe, base[rows[common]], instruct[common])
    return merged


def _arithmetic(recipe: MergeRecipe, base: torch.Tensor, instruct: torch.Tensor) -> torch.Tensor:
    from mergekit.merge_methods import merge_tensors

    linear = recipe.merge_method == "linear"
    return merge_tensors(
        [base, instruct],
        recipe.merge_method,
        parameters={"weight": [1.0 - recipe.alpha, recipe.alpha]}
        if linear
        else {"t": recipe.alpha},
        base_index=None if linear else 0,
        dtype=getattr(torch, recipe.merge_dtype),
        out_dtype=instruct.dtype,
    )
