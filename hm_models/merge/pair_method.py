"""What a pair's recipe may say of its method, alpha and parameters together.

>>> settle("linear", "[0.2, 0.9]", False, ({}, {}, {}))
((0.2, 0.9), {})
>>> settle("ties", None, False, ({"density": 0.5}, {}, {}))
Traceback (most recent call last):
hm_models.errors.RecipeError: alpha=None is not a number. Give one between 0 (the base) and 1 (the ...
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from hm_models.errors import RecipeError
from hm_models.merge.alpha import Alpha, parse_alpha
from hm_models.merge.methods import LINEAR, Method, Settings
from hm_models.merge.schedule import Schedule

# No merge of weights, but two models side by side: hm_models.engines.side_by_side.
MIX, SWITCH = "mix", "switch"
SIDE_BY_SIDE = (MIX, SWITCH)
NO_WAY_BEYOND = (
    "extrapolate=true: merge_method={} has no way on beyond the two models. linear and the methods with "
    "task vectors (as task_arithmetic, ties, dare_ties) have one; else leave extrapolate out."
)


def settle(
    name: str, alpha: object, extrapolate: bool, params: tuple[Settings, Settings, Settings]
) -> tuple[Alpha | None, Settings]:
    """Return alpha, and the parameters of both models, as a recipe has them.

    Args:
        name: of the method.
        alpha: as it was given.
        extrapolate: whether it may lie outside [0, 1].
        params: of both models, of the base, of the instruct model.

    Raises:
        RecipeError: they are unknown, out of range, or do not go together.
    """
    shared = params[0]
    given = {parameter for settings in params for parameter in settings}
    if extrapolate and name in SIDE_BY_SIDE:
        raise RecipeError(NO_WAY_BEYOND.format(name))
    if name == LINEAR and not given:  # there is nothing to ask mergekit
        return parse_alpha(alpha, extrapolate), shared
    if name == MIX:
        number = parse_alpha(alpha)
        if given or not isinstance(number, float):
            raise RecipeError(
                "merge_method=mix takes one number as alpha and no merge_params: it mixes the "
                "two models' probabilities, not their tensors."
            )
        return number, shared
    if name == SWITCH:
        if alpha is not None:
            raise RecipeError(
                f"alpha={alpha!r}: merge_method=switch takes no alpha, as its two models "
                'write in turn. Leave alpha out; merge_params={"alphas": [0, 1], ...} says which '
                "two, the first side first."
            )
        return None, Schedule.of(shared).to_params()
    method = Method.for_two(name)
    if extrapolate and not method.extrapolates:
        raise RecipeError(NO_WAY_BEYOND.format(name))
    # Without alpha, the parameters must say what alpha would.
    needs_alpha = bool(method.set_by_alpha) and not given & set(method.set_by_alpha)
    has_alpha = alpha is not None or needs_alpha
    found = parse_alpha(alpha, extrapolate) if has_alpha else None
    for settings in params:
        method.check_values(settings)
    method.check(given, has_alpha)
    return found, shared


def as_mapping(name: str, given: object) -> dict[str, Any]:
    """Parameters as they were given to `name`, also as JSON text. Raises RecipeError for what is none."""
    if isinstance(given, str):
        with contextlib.suppress(ValueError):
            given = json.loads(given)
    if not isinstance(given, Mapping):
        raise RecipeError(
            f'{name}={given!r}: expected names and values, for example {name}={{"density": 0.5}}.'
        )
    return dict(given)
