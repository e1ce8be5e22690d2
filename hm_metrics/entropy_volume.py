"""What one training step on a token does to the volume of a model's logits: the paper's figure 2.

Let q be the model's distribution at a position, y the target as a one-hot vector and v = q - y. One
step of size lr moves the logits z to z - lr * v, and its Jacobian is I - lr * H with

    H = diag(v) - v q^T - q v^T,

the Hessian of -q_y / q_y(old): the policy-gradient loss of a sampled token, which has the gradient of
the cross-entropy -log q_y but not its Hessian diag(q) - q q^T. A density of logits is stretched by
|det(I - lr * H)|, so log|det| is what the step adds to their differential entropy; below 0 it falls.

The matrix is a diagonal and two rank-one terms, so the determinant lemma leaves a 2-by-2 determinant:
exact over the whole vocabulary, linear in its size, for all target ranks in one pass.

    >>> found = entropy_volume(np.array([[2.0, 1.0, 0.0]]), lr=0.1, ranks=2)
    >>> found.log_volume.round(4)  # [position, rank]: a step on the likeliest token takes entropy away
    array([[-0.0312,  0.0509]])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

RANKS = 10
CELLS = 4_000_000  # of float64 logits at once: 32 MB
# The lemma divides by 1 - lr * q, which is 0 at a certain token and lr = 1, though the determinant is
# smooth there: this near to 0 rounding and the shift weigh alike, about 1e-8 of the result.
SMALLEST_DIAGONAL = 1e-8


@dataclasses.dataclass(frozen=True)
class EntropyVolume:
    """Of T positions, for the R most probable tokens as targets, the most probable first.

    Attributes:
        log_volume: [T, R] log|det(I - lr * H)| of a step on that token.
        probability: [T, R] of that token.
        token: [T, R] its id.
        entropy: [T] of the whole distribution, in nats.
    """

    log_volume: np.ndarray
    probability: np.ndarray
    token: np.ndarray
    entropy: np.ndarray


def entropy_volume(logits: np.ndarray, lr: float, ranks: int = RANKS) -> EntropyVolume:
    """The volume change of one step on each of the `ranks` most probable tokens.

    Args:
        logits: [T, V] of any float type.
        lr: step size, above 0.

    Raises:
        ValueError: lr is not above 0, or there are fewer than `ranks` tokens.
    """
    if not 0 < lr < float("inf"):
        raise ValueError(f"lr={lr}: expected a step size above 0.")
    if logits.ndim != 2 or not 1 <= ranks <= logits.shape[1]:
        raise ValueError(
            f"logits {logits.shape}: expected [T, V] with V of at least {ranks} ranks."
        )
    parts = [_block(block, lr, ranks) for block in _blocks(logits)]
    return EntropyVolume(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _blocks(logits: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, CELLS // logits.shape[1])
    for start in range(0, max(1, len(logits)), rows):
        yield np.asarray(logits[start : start + rows], dtype=np.float64)


def _block(logits: np.ndarray, lr: float, ranks: int) -> tuple[np.ndarray, ...]:
    q = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    q /= q.sum(axis=1, keepdims=True)
    entropy = -(q * np.log(q, out=np.zeros_like(q), where=q > 0)).sum(axis=1)
    top = np.argpartition(-q, ranks - 1, axis=1)[:, :ranks]
    top = np.take_along_axis(
        top, np.argsort(-np.take_along_axis(q, top, axis=1), axis=1, kind="stable"), axis=1
    )
    p = np.take_along_axis(q, top, axis=1)
    # Off the target v is q, so all ranks share these sums over the tokens that are no target here.
    np.put_along_axis(q, top, 0.0, axis=1)
    diagonal = _off_zero(1.0 - lr * q)
    rest_log = np.log(np.abs(diagonal)).sum(axis=1, keepdims=True)
    rest_sum = (q**2 / diagonal).sum(axis=1, keepdims=True)
    at_top = _off_zero(1.0 - lr * p)
    others = _without_each(np.log(np.abs(at_top)))
    log_diagonal = rest_log + others + np.log(1.0 + lr * (1.0 - p))
    shared = rest_sum + _without_each(p**2 / at_top)
    v, d = p - 1.0, 1.0 + lr * (1.0 - p)  # at the target
    qq, qv, vv = shared + p**2 / d, shared + p * v / d, shared + v**2 / d
    small = (1.0 + lr * qv) ** 2 - lr**2 * qq * vv
    return log_diagonal + np.log(np.abs(small)), p, top, entropy


def _off_zero(diagonal: np.ndarray) -> np.ndarray:
    return np.where(np.abs(diagonal) < SMALLEST_DIAGONAL, SMALLEST_DIAGONAL, diagonal)


def _without_each(values: np.ndarray) -> np.ndarray:
    """[T, R] the sum of the other columns, added up rather than subtracted, which would lose digits."""
    total = np.zeros_like(values)
    for column in range(values.shape[1]):
        total += np.where(np.arange(values.shape[1]) == column, 0.0, values[:, [column]])
    return total
