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
from hm_models.checkpoints.read_ahead import Lease, ReadAhead, Source
from hm_models.checkpoints.vocabulary import NO_ROW, RowMatch
from hm_models.errors import RecipeError
from hm_models.merge.adapted import AdaptedSources
from hm_models.merge.arithmetic import weighted_sum
from hm_models.merge.contract import Merge
from hm_models.merge.lazy import LazyMerge, Write, as_it_is
from hm_models.merge.plan import MergePlan, plan_merge


def merged_tensors(
    recipe: Merge, plan: MergePlan | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name, tensor) of the merge, on the CPU, in the order of the lead's (the instruct) files.

    At alpha 0 and 1 these are that checkpoint's own tensors, names and bytes.

    Raises:
        RecipeError, CheckpointError: the models cannot be merged; raised before the first tensor. Only
            whole-number buffers with different values are found when it is their turn.
    """
    for name, tensor in MergeStream(plan).tensors(recipe):
        yield name, tensor.merged()


class MergeStream:
    """The tensors of a merge, for one alpha after another: it is planned and opened once.

    Args:
        plan: what `plan_merge` gave for the merge, where the caller has it.
        resident: where the files lie in memory (`ResidentFiles.paths`); None reads the files ahead of
            whoever asks, an empty mapping as far as somebody asks.
    """

    def __init__(
        self, plan: MergePlan | None = None, resident: Mapping[str, str] | None = None
    ) -> None:
        self._plan = plan
        self._resident = resident
        self._source = AdaptedSources(resident)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        # Workers of an engine get the plan, and open the files themselves.
        return MergeStream, (self._plan, self._resident)

    def tensors(self, recipe: Merge, skip: Container[str] = ()) -> Iterator[tuple[str, LazyMerge]]:
        """Yield (name, lazy tensor) of the merge, in the order of the lead's files.

        Recipes of later calls may differ in alpha alone. Tensors named in `skip` are not read.

        Raises:
            RecipeError, CheckpointError: as `merged_tensors`.
        """
        if recipe.unmerged is not None:
            yield from self._own(recipe.unmerged, skip)
        else:
            yield from self._merged(recipe, skip)

    def _own(self, checkpoint: Checkpoint, skip: Container[str]) -> Iterator[tuple[str, LazyMerge]]:
        source = self._source(checkpoint)
        names = [name for name in checkpoint.tensors if name not in skip]
        for ((_, name),), lease in self._leased([[(source, name)] for name in names]):
            tensor = source(name)
            yield name, LazyMerge((tensor,), tensor.dtype, as_it_is, True, lease)

    def _merged(self, recipe: Merge, skip: Container[str]) -> Iterator[tuple[str, LazyMerge]]:
        self._plan = self._plan or plan_merge(recipe)
        planned = self._plan.tensors
        weights = recipe.linear_weights
        # All resolved before the first tensor, so that nothing is half loaded when one does not fit.
        ways = {} if weights else recipe.arithmetic([tensor.like for tensor in planned])
        planned = tuple(tensor for tensor in planned if tensor.name not in skip)
        opened = [self._source(checkpoint) for checkpoint in recipe.checkpoints]
        sources = [list(zip(opened, tensor.sources, strict=True)) for tensor in planned]
        out_dtype = getattr(torch, recipe.out_dtype) if recipe.out_dtype else None
        for tensor, (read, lease) in zip(planned, self._leased(sources), strict=True):
            inputs = tuple(checkpoint(name) for checkpoint, name in read)
            lead = inputs[recipe.lead]
            if not lead.is_floating_point():
                yield tensor.name, _equal_numbers(tensor.name, inputs, lease)
                continue
            dtype = out_dtype or lead.dtype
            write: Write
            if weights:
                write, elementwise = partial(weighted_sum, weights), True
            else:
                way = ways[tensor.like]
                write, elementwise = way.writer(tensor.name, [t.dtype for t in inputs], dtype)
            if tensor.rows is not None:
                # A wrapper's shape is that of its last input, and the merge has the lead's rows.
                write, elementwise = partial(_by_rows, tensor.rows, write), False
                inputs = (*inputs, lead)
            yield tensor.name, LazyMerge(inputs, dtype, write, elementwise, lease)

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


def _equal_numbers(name: str, inputs: tuple[torch.Tensor, ...], lease: Lease | None) -> LazyMerge:
    first, *others = inputs
    if not all(torch.equal(first, other) for other in others):
        raise RecipeError(
            f"The buffer {name} ({first.dtype}) differs between the checkpoints, "
            "and whole numbers cannot be merged."
        )
    return LazyMerge((first,), first.dtype, as_it_is, True, lease)


def _by_rows(
    matches: tuple[RowMatch | None, ...],
    write: Write,
    inputs: tuple[torch.Tensor, ...],
    out: torch.Tensor,
) -> None:
    *sides, lead = inputs
    same = torch.arange(len(lead))
    rows = [same if match is None else torch.tensor(match.rows) for match in matches]
    common = torch.stack([found != NO_ROW for found in rows]).all(dim=0)
    out.copy_(lead)  # rows that one of the models has no counterpart for stay the lead's
    merged = torch.empty_like(out[common])
    write(tuple(s[found[common]] for s, found in zip(sides, rows, strict=True)), merged)
    out[common] = merged
