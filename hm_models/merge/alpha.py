"""alpha as users write it: one number, a gradient over depth, or one of these for each module.

    0.7                                   every tensor
    [0.2, 0.9]                            0.2 in the first layer to 0.9 in the last, linear between
    {"mlp": 0.5, "self_attn": [0, 1], "*": 0.7}     by part of the tensor's name, first match

Gradients and patterns mean what they mean in mergekit's YAML: tensors outside the layers (embedding,
head, last norm) take a gradient's first value, and a pattern is a part of the tensor's name.

    >>> parse_alpha('{"mlp": 0.5, "self_attn": [0, 1], "*": 0.7}')
    {'mlp': 0.5, 'self_attn': (0.0, 1.0), '*': 0.7}
    >>> settings(parse_alpha([0.2, 0.9]))  # as a parameter of mergekit
    [0.2, 0.9]

Beyond the two checkpoints (above 1 as ExPO, Zheng et al. 2024, or below 0) it goes only where that is meant:

    >>> beyond(parse_alpha([0.7, 1.3], extrapolate=True)), beyond(0.7)
    (True, False)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TypeAlias

from hm_models.errors import RecipeError

REST = "*"  # the pattern that every tensor matches, as in mergekit
Gradient: TypeAlias = float | tuple[float, ...]
Alpha: TypeAlias = Gradient | dict[str, Gradient]


def parse_alpha(alpha: object, extrapolate: bool = False) -> Alpha:
    """Return `alpha` with every number a float in [0, 1]; text is read as JSON.

    Args:
        extrapolate: take every finite number.

    Raises:
        RecipeError: a value is no number or outside [0, 1], a gradient is empty, or patterns leave
            tensors without an alpha.
    """
    alpha = _from_text(alpha)
    if not isinstance(alpha, Mapping):
        return _gradient(alpha, "alpha", extrapolate)
    if REST not in alpha:
        raise RecipeError(
            f"alpha={dict(alpha)!r} says nothing of tensors that match no pattern. Add a value for "
            f'"{REST}", for example {{"mlp": 0.5, "{REST}": 0.7}}.'
        )
    return {
        str(part): _gradient(value, f"alpha[{part!r}]", extrapolate)
        for part, value in alpha.items()
    }


def beyond(alpha: Alpha | None) -> bool:
    """Whether one of its numbers lies outside [0, 1], so that the merge lies beyond a checkpoint."""
    if isinstance(alpha, dict):
        return any(map(beyond, alpha.values()))
    if isinstance(alpha, tuple):
        return any(map(beyond, alpha))
    return alpha is not None and not 0.0 <= alpha <= 1.0


def settings(alpha: Alpha, scale: float = 1.0, offset: float = 0.0) -> object:
    """`offset + scale * alpha` as a parameter setting of mergekit (number, list, or filters)."""
    if isinstance(alpha, dict):
        # mergekit takes the first filter that matches, so the rest must come last.
        parts = sorted(alpha, key=lambda part: part == REST)
        return [{"filter": part, "value": settings(alpha[part], scale, offset)} for part in parts]
    if isinstance(alpha, tuple):
        return [offset + scale * value for value in alpha]
    return offset + scale * alpha


def _from_text(alpha: object) -> object:
    if isinstance(alpha, str):
        try:
            return json.loads(alpha)
        except ValueError:
            return alpha
    return alpha


def _gradient(value: object, name: str, extrapolate: bool) -> Gradient:
    if not isinstance(value, (list, tuple)):
        return _number(value, name, extrapolate)
    if not value:
        raise RecipeError(f"{name}={value!r} is an empty gradient. Give at least one number.")
    return tuple(_number(item, name, extrapolate) for item in value)


def _number(value: object, name: str, extrapolate: bool) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise RecipeError(
            f"{name}={value!r} is not a number. Give one between 0 (the base) and 1 (the instruct "
            "model), for example alpha=0.7."
        ) from None
    if extrapolate and math.isfinite(number):
        return number
    if math.isnan(number) or not 0.0 <= number <= 1.0:
        meant = "" if not math.isfinite(number) else ", or extrapolate=true if beyond is meant"
        raise RecipeError(
            f"{name}={number:g} lies outside [0, 1]: 0 is the base, 1 the instruct model, and values "
            f"in between merge them. Give for example alpha=0.7{meant}."
        )
    return number
