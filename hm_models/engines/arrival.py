"""Whether weights that a vLLM engine is given while it runs have arrived, whatever the architecture.

vLLM loads again into stand-ins without memory (on torch's `meta` device): what goes through a
parameter's weight loader is noted and done again on the real parameter, and what is copied to a
stand-in past the loader is lost without a word, so that the parameter keeps the values of before
(gpt-oss loads its experts and its attention sinks like that). Three things are known after a change:

- no operation wrote to a stand-in except where vLLM counts what a weight loader does;
- every tensor that was read when the engine started was read again;
- every parameter that came from the checkpoint then was written again: it is filled with NaN before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from vllm.model_executor.model_loader.reload import layerwise

from hm_models.merge.lazy import LazyMerge, Write


class NotArrivedError(RuntimeError):
    """Weights that this engine cannot take while it runs; the message says what was lost."""


class Receipts:
    """The tensors that were brought to a model in one load, and those whose values were asked for."""

    def __init__(self) -> None:
        self.brought: set[str] = set()
        self.taken: set[str] = set()

    def noting(
        self, tensors: Iterator[tuple[str, LazyMerge]]
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The same tensors, with a note of each that is computed, in whole or in part."""
        for name, tensor in tensors:
            self.brought.add(name)
            tensor.write = partial(self._write, name, tensor.write)
            yield name, tensor

    def _write(
        self, name: str, write: Write, inputs: tuple[torch.Tensor, ...], out: torch.Tensor
    ) -> None:
        self.taken.add(name)
        write(inputs, out)

    def check_against(self, first: Receipts) -> None:
        """Raise NotArrivedError if a tensor was read in the first load, and not in this one."""
        if lost := sorted((first.taken & self.brought) - self.taken):
            raise NotArrivedError(
                f"{len(lost)} tensors were not read again, first {', '.join(lost[:3])}"
            )


@contextlib.contextmanager
def all_written(model: torch.nn.Module, names: Iterable[str]) -> Iterator[None]:
    """Raise NotArrivedError if one of these parameters is not written within.

    What vLLM's CPU build has packed elsewhere is empty here, and left out.
    """
    with torch.no_grad():
        for parameter in _numbers(model, names).values():
            parameter.data.fill_(torch.nan)
    yield
    kept = [name for name, value in _numbers(model, names).items() if value.isnan().any()]
    if kept:
        raise NotArrivedError(
            f"vLLM did not write {len(kept)} parameters again, first {', '.join(sorted(kept)[:3])}"
        )


def _numbers(model: torch.nn.Module, names: Iterable[str]) -> dict[str, torch.Tensor]:
    found = dict(model.named_parameters(remove_duplicate=False))
    return {
        name: found[name]
        for name in names
        if name in found and found[name].is_floating_point() and found[name].numel()
    }


class _NothingLost(TorchDispatchMode):
    """Refuse operations that write to a stand-in while vLLM does not count them."""

    def __init__(self) -> None:
        super().__init__()
        self.counting = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if (
            not self.counting
            and func._schema.is_mutable
            and isinstance(args[0], torch.Tensor)
            and args[0].is_meta
        ):
            raise NotArrivedError(
                f"its architecture writes a tensor of shape {list(args[0].shape)} past vLLM's weight "
                f"loaders ({func}), which vLLM does not do again in a running engine"
            )
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def nothing_lost() -> Iterator[None]:
    """Raise NotArrivedError where vLLM, loading again, would lose what a model writes."""
    plain = layerwise.get_numel_loaded
    mode = _NothingLost()
    layerwise.get_numel_loaded = _while_counting(mode, plain)
    try:
        with mode:
            yield
    finally:
        layerwise.get_numel_loaded = plain


def _while_counting(mode: _NothingLost, plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def get_numel_loaded(*arguments: Any) -> Any:
        mode.counting = True
        try:
            return plain(*arguments)
        finally:
            mode.counting = False

    return get_numel_loaded
