"""How one tensor is merged: by mergekit's own code, or its weighted sum in one compiled pass.

>>> method, inputs = Method.for_two("slerp"), Inputs(("base", "instruct"), "base")
>>> sources = ParameterSources({"t": [0, 1]}, {"base": {}, "instruct": {}})
>>> way = arithmetic_of(method, inputs, sources, ["layers.0.up", "layers.1.up"], None, seed=0)
>>> [each.shared["t"] for each in way.values()]
[0.0, 1.0]
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from hm_models.errors import RecipeError
from hm_models.merge.lazy import Write
from hm_models.merge.methods import LINEAR, Inputs, Method, Settings
from hm_models.merge.parameters import ParameterSources, depths, resolve

_DRAWING = threading.Lock()


def weighted_sum(
    weights: Sequence[float],
    inputs: Sequence[torch.Tensor],
    out: torch.Tensor,
    normalize: bool = True,
) -> None:
    """Write the sum of weights[i] * inputs[i], in float32 and rounded once, into `out`."""
    # Not before: vLLM's CPU build goes through all loaded modules as a worker starts, and stumbles
    # over llvmlite's.
    from hm_models.merge.kernel import linear_merge

    linear_merge([tensor.contiguous() for tensor in inputs], out, weights, normalize)


@dataclasses.dataclass(frozen=True)
class Arithmetic:
    """A method with the parameters that it has for one tensor.

    Attributes:
        method: what computes it.
        inputs: of what.
        shared, per_input: parameters resolved for this tensor, `per_input` by name and input.
        dtype: precision of the arithmetic; None promotes the inputs' own.
        seed: what random methods draw from; it depends on the tensor's name, not on the order.
    """

    method: Method
    inputs: Inputs
    shared: Settings
    per_input: Mapping[str, Mapping[str, Any]]
    dtype: torch.dtype | None
    seed: int

    def __call__(self, tensors: Sequence[torch.Tensor], out_dtype: torch.dtype) -> torch.Tensor:
        """Merge tensors of one shape with mergekit's own code."""
        from mergekit.merge_methods import merge_tensors

        # There is one generator for all threads, and engines load with several.
        with _DRAWING, torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self.seed)
            return merge_tensors(
                tensors,
                self.method.name,
                parameters={**self.shared, **self.per_input},
                ids=self.inputs.names,
                base_index=self.inputs.base_index,
                dtype=self.dtype,
                out_dtype=out_dtype,
            )

    def writer(
        self, name: str, dtypes: Sequence[torch.dtype], out: torch.dtype
    ) -> tuple[Write, bool]:
        """What writes the merge of tensors of these dtypes, and whether it is element by element."""
        is_linear = self.method.name == LINEAR
        weight = self.per_input["weight"] if is_linear else {}
        # mergekit sums in float32 whatever `dtype` is, but rounds to `dtype` on the way in and out.
        rounds_once = {*dtypes, out} == {out} and self.dtype in (None, out)
        write: Write = self._write
        if fast := is_linear and (self.dtype is torch.float32 or rounds_once):
            weights = [weight[name] for name in self.inputs.names]
            write = partial(weighted_sum, weights, normalize=self.shared["normalize"])
        # Between its inputs, a result is as finite as they are.
        if not is_linear or not all(0 <= value <= 1 for value in weight.values()):
            write = partial(_in_numbers, name, write)
        return write, fast

    def _write(self, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        out.copy_(self(inputs, out.dtype))

    def fits(self) -> None:
        """Merge a few numbers, as mergekit checks some parameters only while it merges.

        Raises:
            RecipeError: what it says against them, or that the outcome is no number.
        """
        rows = torch.linspace(-1, 1, 64).reshape(8, 8)
        dtype = self.dtype or torch.float32
        try:
            # Different ones for each input, as some methods say nothing of equal ones.
            tried = [(rows.roll(i, 0) * 0.9**i).to(dtype) for i in range(len(self.inputs.names))]
            merged = self(tried, dtype)
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
        own = {name: [*dict.fromkeys(v.values())] for name, v in self.per_input.items()}
        own = {name: v[0] if len(v) == 1 else v for name, v in own.items()}
        return ", ".join(f"{name}={value}" for name, value in {**self.shared, **own}.items())


def _in_numbers(
    name: str, write: Write, inputs: tuple[torch.Tensor, ...], out: torch.Tensor
) -> None:
    """Refuse a merge that leaves the numbers of `out`'s dtype, where its inputs did not."""
    write(inputs, out)
    if not torch.isfinite(out).all() and all(torch.isfinite(tensor).all() for tensor in inputs):
        raise RecipeError(
            f"The merge of {name} holds values that {out.dtype} has no numbers for, although all "
            "checkpoints are finite there. The method's parameters are too large, or do not fit."
        )


def arithmetic_of(
    method: Method,
    inputs: Inputs,
    sources: ParameterSources,
    names: list[str],
    dtype: str | None,
    seed: int,
) -> dict[str, Arithmetic]:
    """How each of these tensors is merged, by its name.

    Args:
        sources: the parameters as they were written.
        dtype: precision of the arithmetic by its name; None promotes the inputs' own.
        seed: of the whole merge.

    Raises:
        RecipeError: the parameters do not fit a tensor.
    """
    sources = sources.as_settings()
    precision = getattr(torch, dtype) if dtype else None
    found: dict[str, Arithmetic] = {}
    resolved = None
    for name, depth in depths(names).items():
        # Most recipes say the same of every tensor, and mergekit's resolver is not fast.
        if resolved is None or not sources.is_uniform:
            resolved = resolve(method, inputs, sources, name, depth)
        found[name] = Arithmetic(method, inputs, *resolved, precision, tensor_seed(seed, name))
    return found


def fits(ways: Iterable[Arithmetic]) -> None:
    """Try each of these once. Raises RecipeError as `Arithmetic.fits`."""
    for way in {repr((way.shared, way.per_input)): way for way in ways}.values():
        way.fits()


def tensor_seed(seed: int, name: str) -> int:
    """A seed for one tensor, the same whatever order tensors come in."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8], "little") >> 1
