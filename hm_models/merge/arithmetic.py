"""How one tensor is merged: by mergekit's own code, or its weighted sum in one compiled pass.

way = Arithmetic(method, {"normalize": True}, {"weight": {"base": 0.3, "instruct": 0.7}}, None, 0)
way(base, instruct, torch.bfloat16)
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from hm_models.errors import RecipeError
from hm_models.merge.lazy import Write
from hm_models.merge.methods import BASE, INSTRUCT, LINEAR, Settings, TwoModelMethod

_DRAWING = threading.Lock()


def weighted_sum(
    weights: tuple[float, float],
    inputs: tuple[torch.Tensor, ...],
    out: torch.Tensor,
    normalize: bool = True,
) -> None:
    """Write weights[0] * base + weights[1] * instruct, in float32 and rounded once, into `out`."""
    # Not before: vLLM's CPU build goes through all loaded modules as a worker starts, and stumbles
    # over llvmlite's.
    from hm_models.merge.kernel import linear_merge

    base, instruct = (tensor.contiguous() for tensor in inputs)
    linear_merge(base, instruct, out, weights, normalize)


@dataclasses.dataclass(frozen=True)
class Arithmetic:
    """A method with the parameters that it has for one tensor.

    Attributes:
        method: what computes it.
        shared, per_input: parameters resolved for this tensor, `per_input` by name and input.
        dtype: precision of the arithmetic; None promotes the two inputs' own.
        seed: what random methods draw from; it depends on the tensor's name, not on the order.
    """

    method: TwoModelMethod
    shared: Settings
    per_input: Mapping[str, Mapping[str, Any]]
    dtype: torch.dtype | None
    seed: int

    def __call__(
        self, base: torch.Tensor, instruct: torch.Tensor, out_dtype: torch.dtype
    ) -> torch.Tensor:
        """Merge two tensors of one shape with mergekit's own code."""
        from mergekit.merge_methods import merge_tensors

        # There is one generator for all threads, and engines load with several.
        with _DRAWING, torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self.seed)
            return merge_tensors(
                [base, instruct],
                self.method.name,
                parameters={**self.shared, **self.per_input},
                ids=[BASE, INSTRUCT],
                base_index=self.method.base_index,
                dtype=self.dtype,
                out_dtype=out_dtype,
            )

    def writer(
        self, name: str, base: torch.dtype, instruct: torch.dtype, out: torch.dtype
    ) -> tuple[Write, bool]:
        """What writes the merge of tensors of these dtypes, and whether it is element by element."""
        is_linear = self.method.name == LINEAR
        weight = self.per_input["weight"] if is_linear else {}
        # mergekit sums in float32 whatever `dtype` is, but rounds to `dtype` on the way in and out.
        rounds_once = base == instruct == out and self.dtype in (None, out)
        write: Write = self._write
        if fast := is_linear and (self.dtype is torch.float32 or rounds_once):
            weights = weight[BASE], weight[INSTRUCT]
            write = partial(weighted_sum, weights, normalize=self.shared["normalize"])
        # Between its inputs, a result is as finite as they are.
        if not is_linear or not all(0 <= value <= 1 for value in weight.values()):
            write = partial(_in_numbers, name, write)
        return write, fast

    def _write(self, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        base, instruct = inputs
        out.copy_(self(base, instruct, out.dtype))

    def fits(self) -> None:
        """Merge a few numbers, as mergekit checks some parameters only while it merges.

        Raises:
            RecipeError: what it says against them, or that the outcome is no number.
        """
        rows = torch.linspace(-1, 1, 64).reshape(8, 8)
        dtype = self.dtype or torch.float32
        try:
            merged = self(rows.to(dtype), (rows.flip(0) * 0.9).to(dtype), dtype)
        except (ValueError, RuntimeError, ArithmeticError) as error:
            raise RecipeError(
                f"The parameters of {self.method.name} do not fit ({self._as_text()}): "
                f"{' '.join(str(error).split())}."
            ) from None
        if not torch.isfinite(merged).all():
            raise RecipeError(
                f"The parameters of {self.method.name} make of numbers what is none any more "
                f"({self._as_text()}). Give smaller ones."
            )

    def _as_text(self) -> str:
        own = {name: values[INSTRUCT] for name, values in self.per_input.items()}
        return ", ".join(f"{name}={value}" for name, value in {**self.shared, **own}.items())


def _in_numbers(
    name: str, write: Write, inputs: tuple[torch.Tensor, ...], out: torch.Tensor
) -> None:
    """Refuse a merge that leaves the numbers of `out`'s dtype, where its inputs did not."""
    write(inputs, out)
    if not torch.isfinite(out).all() and all(torch.isfinite(tensor).all() for tensor in inputs):
        raise RecipeError(
            f"The merge of {name} holds values that {out.dtype} has no numbers for, although both "
            "checkpoints are finite there. The method's parameters are too large, or do not fit."
        )


def tensor_seed(seed: int, name: str) -> int:
    """A seed for one tensor, the same whatever order tensors come in."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8], "little") >> 1
