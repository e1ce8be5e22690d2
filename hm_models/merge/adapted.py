"""The tensors of a checkpoint that is made of an adapter: each is computed when its values are asked for.

    source = AdaptedSources()(Checkpoint.open("ckpt/adapter"))
    source("model.layers.0.mlp.up_proj.weight")[:8]      # eight rows of it are computed

An element depends on its own place alone: on its row and its column, which travel beside the base's tensor as
two more inputs of a `LazyMerge` that take no memory. So a rank's slice computes what the rank keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache, partial
from typing import TypeAlias

import torch

from hm_models.checkpoints.adaptation import Change, LowRank
from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.headers import DTYPES
from hm_models.checkpoints.mapped import MappedCheckpoint
from hm_models.checkpoints.source import TensorSource
from hm_models.merge.lazy import LazyMerge, Write, as_it_is

# (rows, columns, base, out): write these rows and columns of a matrix, of which `base` and `out` hold as much.
WriteMatrix: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], object]
# (tensor, dtype): what is made of a tensor, rounded to that dtype.
Step: TypeAlias = Callable[[torch.Tensor, torch.dtype], LazyMerge]


class AdaptedSources:
    """What gives the tensors of checkpoints, each opened once; `resident` as for `MappedCheckpoint`."""

    def __init__(self, resident: Mapping[str, str] | None = None) -> None:
        self._resident = resident
        self._opened: dict[frozenset[str], TensorSource] = {}

    def __call__(self, checkpoint: Checkpoint) -> TensorSource:
        key = frozenset(checkpoint.stamps.values())
        if key not in self._opened:
            adapted = checkpoint.adapted
            self._opened[key] = (
                MappedCheckpoint(checkpoint, self._resident)
                if adapted is None
                else AdaptedTensors(
                    checkpoint, adapted.changes, self(adapted.base), self(adapted.files)
                )
            )
        return self._opened[key]


class AdaptedTensors:
    """The tensors of an adapter's base, with what the adapter's own make of them."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        changes: Mapping[str, Change],
        base: TensorSource,
        own: TensorSource,
    ) -> None:
        self.checkpoint = checkpoint
        self._changes, self._base, self._own = changes, base, own

    def __call__(self, name: str) -> torch.Tensor:
        change = self._changes.get(name)
        if change is None:
            return self._base(name)
        tensor = self._own(change.whole) if change.whole else self._base(change.of or name)
        steps = list(self._steps(change, tensor))
        dtype = DTYPES[self.checkpoint.tensors[name].dtype]
        if not steps and tensor.dtype != dtype:
            steps = [partial(_lazy, (), as_it_is)]
        for left, step in zip(reversed(range(len(steps))), steps, strict=True):
            tensor = step(tensor, torch.float32 if left else dtype)  # rounded once
        return tensor

    def _steps(self, change: Change, tensor: torch.Tensor) -> Iterator[Step]:
        if change.low_rank:
            yield _by_place(self._low_rank(change.low_rank, tensor))
        if change.bias:
            bias, scale = change.bias
            yield partial(_lazy, (self._own(bias),), partial(_add_scaled, scale))
        if change.rows:
            new, rows = change.rows
            yield _by_place(partial(_set_rows, self._own(new), torch.tensor(rows)))

    def prefetch(self, name: str) -> None:
        source, tensor = self._largest(name)
        source.prefetch(tensor)

    def drop(self, name: str) -> None:
        source, tensor = self._largest(name)
        source.drop(tensor)

    def _largest(self, name: str) -> tuple[TensorSource, str]:
        """What a tensor is made of but for factors and single rows, which are small against it."""
        change = self._changes.get(name, Change())
        return (self._own, change.whole) if change.whole else (self._base, change.of or name)

    def _low_rank(self, low_rank: LowRank, base: torch.Tensor) -> WriteMatrix:
        up, down = self._own(low_rank.up), self._own(low_rank.down)
        if low_rank.is_transposed:
            up, down = down.t(), up.t()
        add = partial(_add_product, up, down, low_rank.scale)
        if low_rank.magnitude is None:
            return add
        magnitude = self._own(low_rank.magnitude).float().view(-1)
        outputs = 1 if low_rank.is_transposed else 0

        @cache
        def factors() -> torch.Tensor:
            whole = _by_place(add)(base, torch.float32).merged()
            lines = whole.t() if outputs else whole
            return magnitude / torch.linalg.norm(lines, dim=1)

        return partial(_scale_outputs, add, factors, outputs)


def _lazy(
    more: tuple[torch.Tensor, ...], write: Write, tensor: torch.Tensor, dtype: torch.dtype
) -> LazyMerge:
    return LazyMerge((*more, tensor), dtype, write, True)


def _by_place(write: WriteMatrix) -> Step:
    """What is made of a matrix element by element, each by its row and its column."""

    def make(tensor: torch.Tensor, dtype: torch.dtype) -> LazyMerge:
        return _lazy(_places(tensor.shape), partial(_write_places, write), tensor, dtype)

    return make


@lru_cache(maxsize=64)
def _places(shape: torch.Size) -> tuple[torch.Tensor, torch.Tensor]:
    """The row and the column of each element, in no more memory than one of each takes."""
    rows, columns = (torch.arange(size) for size in shape)
    return rows[:, None].expand(shape), columns.expand(shape)


def _write_places(write: WriteMatrix, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
    """Write whatever view of a matrix as a matrix: its dimensions that go along rows come first."""
    if not out.numel():
        return
    rows, columns, base = inputs
    along = [dim for dim in range(out.dim()) if out.shape[dim] > 1 and rows.stride(dim)]
    across = [dim for dim in range(out.dim()) if dim not in along]
    order = along + across
    lines, places = _first(rows, across), _first(columns, along)
    is_in_order = order == sorted(order)
    target = out if is_in_order else torch.empty([out.shape[d] for d in order], dtype=out.dtype)
    matrix = len(lines), len(places)
    write(lines, places, base.permute(order).reshape(matrix), target.view(matrix))
    if not is_in_order:
        out.copy_(target.permute([order.index(dim) for dim in range(out.dim())]))


def _first(indices: torch.Tensor, dims: list[int]) -> torch.Tensor:
    """The indices of one line, where they are the same along these dimensions."""
    for dim in reversed(dims):
        indices = indices.select(dim, 0)
    return indices.reshape(-1)


def _add_product(
    up: torch.Tensor,
    down: torch.Tensor,
    scale: float,
    rows: torch.Tensor,
    columns: torch.Tensor,
    base: torch.Tensor,
    out: torch.Tensor,
) -> None:
    # Not before: vLLM's CPU build goes through all loaded modules as a worker starts, and stumbles
    # over llvmlite's.
    from hm_models.merge.low_rank import add_product

    add_product(
        base.contiguous(), up.index_select(0, rows), down.index_select(1, columns), scale, out
    )


def _scale_outputs(
    add: WriteMatrix,
    factors: Callable[[], torch.Tensor],
    axis: int,
    rows: torch.Tensor,
    columns: torch.Tensor,
    base: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """DoRA: each output of the sum times its magnitude over its norm."""
    whole = torch.empty(base.shape, dtype=torch.float32)  # engines set another default
    add(rows, columns, base, whole)
    out.copy_(factors()[columns] * whole if axis else factors()[rows][:, None] * whole)


def _set_rows(
    new: torch.Tensor,
    indices: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    base: torch.Tensor,
    out: torch.Tensor,
) -> None:
    out.copy_(base)
    places = torch.full((1 + int(max(rows.max(), indices.max())),), -1)
    places[indices] = torch.arange(len(indices))
    found = places[rows]
    is_new = found >= 0
    out[is_new] = new[found[is_new]][:, columns].to(out.dtype)


def _add_scaled(scale: float, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
    added, tensor = inputs
    out.copy_(tensor.float() + added.float() * scale)
