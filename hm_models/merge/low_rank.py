"""What a LoRA adapter adds to a weight, in one pass over it: base + scale * (up @ down), rounded once.

>>> up, down, merged = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0, 4.0]]), torch.empty(2, 2)
>>> add_product(torch.ones(2, 2), up, down, 0.5, merged)
>>> merged
tensor([[2.5000, 3.0000],
        [4.0000, 5.0000]])

The sums go along the rank, each product added to the sum before it and rounded once (fma). So they do not
depend on threads, on the machine's library, or on which part of the weight is asked for. They are float32's,
and then the bits are PEFT's, whose product a library sums in the same order up to ranks of some hundred.
Where factors and result are of half precision they are float64's, which is exact, so that no order shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch.nn.functional import pad

from hm_models.merge.kernel import carried, fma, in_threads, narrow, widen

COLUMNS = 1024  # of a row whose sums lie in the fastest memory
BLOCK = 1 << 19  # elements a thread takes at once


@njit(nogil=True, error_model="numpy")
def _add_product(base: Any, up: Any, down: Any, scale: Any, out: Any, width: Any) -> None:
    like = out[0]
    rank = down.size // width
    sums = np.empty(min(width, COLUMNS), down.dtype)
    for row in range(out.size // width):
        for start in range(0, width, COLUMNS):
            count = min(COLUMNS, width - start)
            part = sums[:count]
            part[:] = 0
            for k in range(0, rank, 4):
                a, b, c, d = up[row * rank + k : row * rank + k + 4]
                at = k * width + start
                one, two = down[at:][:count], down[at + width :][:count]
                three, four = down[at + 2 * width :][:count], down[at + 3 * width :][:count]
                for j in range(count):
                    low = fma(b, two[j], fma(a, one[j], part[j]))
                    part[j] = fma(d, four[j], fma(c, three[j], low))
            at = row * width + start
            ours, theirs = base[at : at + count], out[at : at + count]
            for j in range(count):
                theirs[j] = narrow(widen(ours[j]) + np.float32(part[j] * scale), like)


def add_product(
    base: torch.Tensor, up: torch.Tensor, down: torch.Tensor, scale: float, out: torch.Tensor
) -> None:
    """Write base + scale * (up @ down) into `out`.

    Args:
        base, out: contiguous CPU tensors of shape (m, n), in any dtype of `kernel.CARRIERS` each.
        up, down: of shapes (m, r) and (r, n), in any float dtype.
    """
    if not out.numel():
        return
    is_exact = torch.float32 not in (up.dtype, down.dtype, out.dtype)
    wide = torch.float64 if is_exact else torch.float32
    # Four steps along the rank are taken at once; a product with zero changes no sum.
    more = -down.shape[0] % 4
    rank = down.shape[0] + more
    left = pad(up.detach().to(wide), (0, more)).contiguous().view(-1).numpy()
    right = pad(down.detach().to(wide), (0, 0, 0, more)).contiguous().view(-1).numpy()
    ours, theirs, factor = carried(base), carried(out), left.dtype.type(scale)
    rows, width = out.shape
    some = max(1, BLOCK // width)

    def add(start: int) -> None:
        stop = min(start + some, rows)
        part = slice(start * width, stop * width)
        factors = left[start * rank : stop * rank]
        _add_product(ours[part], factors, right, factor, theirs[part], width)

    in_threads(add, range(0, rows, some))
