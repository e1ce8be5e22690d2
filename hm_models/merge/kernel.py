"""The linear merge of tensors in one pass over memory, with the bits of mergekit.

>>> base, instruct = torch.tensor([1.0, 2.0]), torch.tensor([2.0, -2.0])
>>> linear_merge([base, instruct], torch.empty(2), [0.5, 0.5])
tensor([1.5000, 0.0000])

mergekit 0.1.5 computes a linear merge as fma(instruct, w1, fma(base, w0, 0)) / (w0 + w1) in float32,
and of more models with an fma for each, in their order,
and rounds once to the result's dtype; torch does that in five passes through full-size temporaries.
Here one loop, compiled by numba, does the same for each element and writes where the result belongs.
Half precisions travel as integers: uint16 is bfloat16, int16 is float16.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

from hm_models.cores import CORES, use_all_cores

CARRIERS = {
    torch.bfloat16: torch.uint16,
    torch.float16: torch.int16,
    torch.float32: torch.float32,
}
BLOCK = 1 << 21  # elements a thread takes at once: large against the call, small against a tensor
MAX_THREADS = 8  # more do not read memory any faster

_INT = ir.IntType(32)


def _as_it_is(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return arguments[0]


@intrinsic
def widen(context: Any, value: Any) -> Any:
    """bfloat16 or float16 (in its carrier) to float32."""

    def from_bfloat16(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = builder.shl(builder.zext(arguments[0], _INT), _INT(16))
        return builder.bitcast(wide, ir.FloatType())

    def from_float16(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    way = {types.uint16: from_bfloat16, types.int16: from_float16}.get(value, _as_it_is)
    return types.float32(value), way


@intrinsic
def narrow(context: Any, value: Any, like: Any) -> Any:
    """float32 to the dtype that `like` carries, to nearest, ties to even."""

    def to_bfloat16(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], _INT)
        odd = builder.and_(builder.lshr(bits, _INT(16)), _INT(1))
        rounded = builder.lshr(builder.add(bits, builder.add(odd, _INT(0x7FFF))), _INT(16))
        # Rounding could carry a NaN's bits over into an infinity.
        is_nan = builder.fcmp_unordered("uno", arguments[0], arguments[0])
        return builder.trunc(builder.select(is_nan, _INT(0x7FC0), rounded), ir.IntType(16))

    def to_float16(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), ir.IntType(16))

    way = {types.uint16: to_bfloat16, types.int16: to_float16}.get(like, _as_it_is)
    return like(value, like), way


@intrinsic
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c of one float type, rounded once; LLVM may not choose."""
    return c(c, c, c), lambda _, builder, signature, arguments: builder.fma(*arguments)


def _sum(inputs: Any, weights: Any, k: Any) -> Any:
    """The weighted sum at place k of however many inputs; numba compiles what `overload` gives."""


@overload(_sum, strict=False)  # strictly, it would compare annotations as well
def _unrolled(inputs: Any, weights: Any, k: Any) -> Any:
    if not len(inputs):
        # The first product is added to zero as in mergekit, where that turns -0 into 0.
        return lambda inputs, weights, k: np.float32(0)
    return lambda inputs, weights, k: fma(
        widen(inputs[-1][k]), weights[-1], _sum(inputs[:-1], weights[:-1], k)
    )


@njit(nogil=True, error_model="numpy")
def _linear(inputs: Any, out: Any, weights: Any, divisor: Any) -> None:
    like = out[0]
    for k in range(out.size):
        out[k] = narrow(_sum(inputs, weights, k) / divisor, like)


@njit(nogil=True, error_model="numpy")
def _linear_undivided(inputs: Any, out: Any, weights: Any) -> None:
    like = out[0]
    for k in range(out.size):
        out[k] = narrow(_sum(inputs, weights, k), like)


def linear_merge(
    inputs: Sequence[torch.Tensor],
    out: torch.Tensor,
    weights: Sequence[float],
    normalize: bool = True,
) -> torch.Tensor:
    """Write the sum of weights[i] * inputs[i] into `out`, over the weights' sum if `normalize`.

    Args:
        inputs, out: contiguous CPU tensors of one shape, in any of CARRIERS' dtypes each.

    Returns:
        `out`.
    """
    *flat, result = map(carried, (*inputs, out))
    factors = tuple(map(np.float32, weights))
    # By torch, which need not add from left to right.
    divisor = np.float32(torch.tensor([weights], dtype=torch.float32).sum(dim=1).item())

    def merge(start: int) -> None:
        part = slice(start, start + BLOCK)
        parts = tuple(tensor[part] for tensor in flat)
        if normalize and divisor != 1:
            _linear(parts, result[part], factors, divisor)
        else:
            _linear_undivided(parts, result[part], factors)

    in_threads(merge, range(0, result.size, BLOCK))
    return out


def carried(tensor: torch.Tensor) -> np.ndarray:
    """The elements of a contiguous CPU tensor as compiled code takes them, in its memory."""
    return tensor.detach().view(-1).view(CARRIERS[tensor.dtype]).numpy()


def in_threads(action: Callable[[int], None], starts: range) -> None:
    """Do `action` at every start, several at once."""
    if len(starts) < 2:
        for start in starts:
            action(start)
    else:
        list(_threads().map(action, starts))


@cache
def _threads() -> ThreadPoolExecutor:
    count = min(MAX_THREADS, len(CORES) if CORES else os.cpu_count() or 1)
    return ThreadPoolExecutor(count, "hm-merge", initializer=use_all_cores)
