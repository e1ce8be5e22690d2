"""The merged tensors, one at a time: nothing on disk, and never two models in memory.

    for name, tensor in merged_tensors(MergeRecipe(base=B, instruct=I, alpha=0.7)): ...

The arithmetic is mergekit's (`mergekit.merge_methods`), in `merge_dtype`, rounded once: the bits of
`mergekit-yaml` with the same dtypes. `MergeStream` gives the same as lazy tensors, for an engine that
merges straight into its parameters, at one alpha after another.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from functools import partial
from typing import Any

import torch

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.mapped import MappedCheckpoint
from hm_models.checkpoints.read_ahead import Lease, ReadAhead, Source
from hm_models.checkpoints.vocabulary import NO_ROW, RowMatch
from hm_models.errors import RecipeError
from hm_models.merge.arithmetic import weighted_sum
from hm_models.merge.lazy import LazyMerge, Write
from hm_models.merge.plan import MergePlan, plan_merge
from hm_models.merge.recipe import MergeRecipe


def merged_tensors(
    recipe: MergeRecipe, plan: MergePlan | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name, tensor) of the merge, on the CPU, in the order of the instruct files.

    At alpha 0 and 1 these are that checkpoint's own tensors, names and bytes.

    Raises:
        RecipeError, CheckpointError: the pair cannot be merged; raised before the first tensor. Only
            whole-number buffers with different values are found when it is their turn.
    """
    for name, tensor in MergeStream(plan).tensors(recipe):
        yield name, tensor.merged()


class MergeStream:
    """A pair's merged tensors, for one alpha after another: it is planned and opened once.

    Args:
        plan: what `plan_merge` gave for the pair, where the caller has it.
        resident: where the files lie in memory (`ResidentFiles.paths`); None reads the files.
    """

    def __init__(
        self, plan: MergePlan | None = None, resident: Mapping[str, str] | None = None
    ) -> None:
        self._plan = plan
        self._resident = resident
        self._mapped: dict[str, MappedCheckpoint] = {}

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        # Workers of an engine get the plan, and open the files themselves.
        return MergeStream, (self._plan, self._resident)

    def tensors(
        self, recipe: MergeRecipe, skip: Container[str] = ()
    ) -> Iterator[tuple[str, LazyMerge]]:
        """Yield (name, lazy tensor) of the merge, in the order of the instruct files.

        Recipes of later calls may differ in alpha alone. Tensors named in `skip` are not read.

        Raises:
            RecipeError, CheckpointError: as `merged_tensors`.
        """
        if recipe.unmerged is not None:
            yield from self._own(recipe.unmerged, skip)
        else:
            yield from self._merged(recipe, skip)

    def _own(self, checkpoint: Checkpoint, skip: Container[str]) -> Iterator[tuple[str, LazyMerge]]:
        mapped = self._map(checkpoint)
        names = [name for name in checkpoint.tensors if name not in skip]
        for (source,), lease in self._leased([[(mapped, name)] for name in names]):
            tensor = mapped(source[1])
            yield source[1], LazyMerge((tensor,), tensor.dtype, _as_it_is, True, lease)

    def _merged(self, recipe: MergeRecipe, skip: Container[str]) -> Iterator[tuple[str, LazyMerge]]:
        self._plan = self._plan or plan_merge(recipe)
        planned = self._plan.tensors
        weights = recipe.linear_weights
        # All resolved before the first tensor, so that nothing is half loaded when one does not fit.
        ways = {} if weights else recipe.arithmetic([tensor.like for tensor in planned])
        planned = tuple(tensor for tensor in planned if tensor.name not in skip)
        base, instruct = self._map(recipe.base_checkpoint), self._map(recipe.instruct_checkpoint)
        sources = [[(base, t.base), (instruct, t.instruct)] for t in planned]
        out_dtype = getattr(torch, recipe.out_dtype) if recipe.out_dtype else None
        for tensor, (_, lease) in zip(planned, self._leased(sources), strict=True):
            pair = ours, theirs = base(tensor.base), instruct(tensor.instruct)
            if not theirs.is_floating_point():
                yield tensor.name, _equal_numbers(tensor.name, ours, theirs, lease)
                continue
            dtype = out_dtype or theirs.dtype
            write: Write
            if weights:
                write, elementwise = partial(weighted_sum, weights), True
            else:
                way = ways[tensor.like]
                write, elementwise = way.writer(tensor.name, ours.dtype, theirs.dtype, dtype)
            if tensor.rows is not None:
                # A wrapper's shape is that of its last input: the instruct model's rows.
                write, elementwise = partial(_by_rows, tensor.rows, write), False
            yield tensor.name, LazyMerge(pair, dtype, write, elementwise, lease)

    def _leased(self, items: list[list[Source]]) -> Iterator[tuple[list[Source], Lease | None]]:
        """Yield each item with what must be held while it is read."""
        if self._resident is not None:
            yield from ((item, None) for item in items)
            return
        reader = ReadAhead(items)
        try:
            for index, item in enumerate(items):
                yield item, reader.take(index)
        finally:
            reader.close()

    def _map(self, checkpoint: Checkpoint) -> MappedCheckpoint:
        key = str(checkpoint.folder)
        if key not in self._mapped:
            self._mapped[key] = MappedCheckpoint(checkpoint, self._resident)
        return self._mapped[key]


def _equal_numbers(
    name: str, base: torch.Tensor, instruct: torch.Tensor, lease: Lease | None
) -> LazyMerge:
    if not torch.equal(base, instruct):
        raise RecipeError(
            f"The buffer {name} ({instruct.dtype}) differs between the two checkpoints, "
            "and whole numbers cannot be merged."
        )
    return LazyMerge((instruct,), instruct.dtype, _as_it_is, True, lease)


def _as_it_is(inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
    out.copy_(inputs[0])


def _by_rows(
    match: RowMatch, write: Write, inputs: tuple[torch.Tensor, ...], out: torch.Tensor
) -> None:
    base, instruct = inputs
    rows = torch.tensor(match.rows)
    common = rows != NO_ROW
    out.copy_(instruct)  # rows without a counterpart stay the instruct model's
    merged = torch.empty_like(out[common])
    write((base[rows[common]], instruct[common]), merged)
    out[common] = merged
