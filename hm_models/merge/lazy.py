"""A tensor that is merged when, where and as far as somebody asks for its values.

>>> whole = LazyMerge((torch.arange(4.0),), torch.float32, as_it_is, elementwise=True)
>>> whole, whole[1:3], whole[1:3].merged()  # of the second and third element alone
(LazyMerge((4,), torch.float32), LazyMerge((2,), torch.float32), tensor([1., 2.]))

An engine takes a loaded tensor apart before it copies: a rank takes its slice, a fused layer its part
of the rows. For an element-wise merge such views are views of the inputs, so a rank merges only what it
keeps; and a copy into a parameter merges straight into the parameter's memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.utils._pytree import tree_map

aten = torch.ops.aten
# Operations that say which elements, not what becomes of them.
VIEWS = {
    aten.alias.default,
    aten.detach.default,
    aten.permute.default,
    aten.select.int,
    aten.slice.Tensor,
    aten.split.Tensor,
    aten.split_with_sizes.default,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.t.default,
    aten.transpose.int,
    aten.unbind.int,
    aten.unsqueeze.default,
    aten.view.default,
}

# (inputs, out): write the merge of CPU tensors into a contiguous CPU tensor of its shape.
Write: TypeAlias = Callable[[tuple[torch.Tensor, ...], torch.Tensor], Any]


class LazyMerge(torch.Tensor):
    """A merged CPU tensor that is not computed yet.

    Args:
        inputs: CPU tensors of one shape, which is the result's; they may be lazy themselves.
        dtype: dtype of the result.
        write: computes it.
        elementwise: whether each element depends on the inputs' elements at its place alone.
        lease: held as long as this tensor or a view of it lives.
    """

    inputs: tuple[torch.Tensor, ...]
    write: Write
    elementwise: bool
    lease: object

    @staticmethod
    def __new__(
        cls,
        inputs: tuple[torch.Tensor, ...],
        dtype: torch.dtype,
        write: Write,
        elementwise: bool,
        lease: object = None,
    ) -> LazyMerge:
        like = inputs[-1]
        self = torch.Tensor._make_wrapper_subclass(
            cls, like.size(), strides=like.stride(), dtype=dtype, device=like.device
        )
        self.inputs, self.write, self.elementwise, self.lease = inputs, write, elementwise, lease
        return self

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"LazyMerge({tuple(self.shape)}, {self.dtype})"

    def __getitem__(self, index: Any) -> torch.Tensor:
        # transformers says `[...]` to tensors and slices of files alike: it wants the values now, and
        # a parameter must own its memory.
        return self.merged() if index is Ellipsis else super().__getitem__(index)

    def merged(self) -> torch.Tensor:
        """Compute the values, in new memory."""
        out = torch.empty(self.shape, dtype=self.dtype)
        self._write_into(out)
        return out

    def _write_into(self, out: torch.Tensor) -> None:
        self.write(tuple(map(_computed, self.inputs)), out)

    def _copy_into(self, target: torch.Tensor) -> torch.Tensor:
        if target.is_meta:  # somebody only counts what would be copied
            return target
        in_place = target.device.type == "cpu" and target.is_contiguous()
        if in_place and target.dtype == self.dtype and target.shape == self.shape:
            self._write_into(target)
            return target
        return target.copy_(self.merged())

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        kwargs = kwargs or {}
        if func in VIEWS and args[0].elementwise:
            # An input whose elements share memory has no view across them: then the values have one.
            with contextlib.suppress(RuntimeError):
                return cls._view(func, *args, **kwargs)
        if func in (aten.alias.default, aten.detach.default):
            return args[0]
        if func._schema.is_mutable and isinstance(args[0], cls):
            raise RuntimeError(f"{func} would change a merged tensor that is not computed yet.")
        if func is aten.copy_.default and isinstance(args[1], cls) and not isinstance(args[0], cls):
            return args[1]._copy_into(args[0])

        return func(*tree_map(_computed, args), **tree_map(_computed, kwargs))

    @classmethod
    def _view(cls, func: Any, lazy: LazyMerge, *args: Any, **kwargs: Any) -> Any:
        views = [func(tensor, *args, **kwargs) for tensor in lazy.inputs]

        def merge(*views: torch.Tensor) -> LazyMerge:
            return cls(views, lazy.dtype, lazy.write, True, lazy.lease)

        if isinstance(views[0], (list, tuple)):  # several parts at once
            return type(views[0])(map(merge, *views))
        return merge(*views)


def as_it_is(inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
    """Write the first input."""
    out.copy_(inputs[0])


def _computed(value: Any) -> Any:
    return value.merged() if isinstance(value, LazyMerge) else value
