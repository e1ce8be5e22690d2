"""A method's parameters as users write them, and what they come to for one tensor.

A setting is a value, a gradient over depth, or filters by name, as in mergekit's YAML; mergekit itself
evaluates the latter two. Of several places the nearest counts: one input's own, then what both share,
then the method's default.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from hm_models.errors import RecipeError
from hm_models.merge.methods import BASE, INSTRUCT, Settings, TwoModelMethod

# Settings for both inputs, for the base alone, for the instruct model alone.
Sources: TypeAlias = tuple[Settings, Settings, Settings]

LAYER = re.compile(r"^(.*?)\.(\d+)\.")


def depths(names: list[str]) -> dict[str, float]:
    """Where each tensor lies between the first layer (0) and the last (1), by its name.

    As in mergekit, tensors outside the layers are at 0, and a single layer is at 1.
    """
    layers = {name: LAYER.match(name) for name in names}
    last: dict[str, int] = {}
    for match in filter(None, layers.values()):
        last[match[1]] = max(last.get(match[1], 0), int(match[2]))
    return {
        name: (int(match[2]) / last[match[1]] if last[match[1]] else 1.0) if match else 0.0
        for name, match in layers.items()
    }


def is_scalar(setting: object) -> bool:
    """Whether a setting says the same of every tensor."""
    return isinstance(setting, (bool, int, float, str))


def as_settings(given: Settings) -> Settings:
    """Plain values as mergekit evaluates them. Raises RecipeError for what is no setting."""
    return {name: v if is_scalar(v) else _compound(name, v) for name, v in given.items()}


def _compound(name: str, value: object) -> Any:
    # Not before one is met: mergekit's configuration takes two seconds to import.
    from mergekit.config import ParameterSetting
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(ParameterSetting).validate_python(value)
    except ValidationError:
        raise RecipeError(
            f"merge_params: {name}={value!r} is no setting. Expected a value, a list of numbers as a "
            'gradient over depth, or a list of {"filter": PART, "value": VALUE}.'
        ) from None


def resolve(
    method: TwoModelMethod, sources: Sources, name: str, depth: float
) -> tuple[Settings, dict[str, dict[str, Any]]]:
    """Resolve filters and gradients for the tensor `name`, 0 (first layer) to 1 (last) in depth.

    Returns:
        Shared parameters by name, and parameters of single inputs by name and input.

    Raises:
        RecipeError: a value has the wrong type, or no filter matches this tensor.
    """
    shared, base, instruct = sources
    inputs = {BASE: (base, shared), INSTRUCT: (instruct, shared)}
    not_base = inputs if method.base_index is None else {INSTRUCT: inputs[INSTRUCT]}
    values, per_input = {}, {}
    try:
        for parameter in method.spec.parameters:
            scope = parameter.scope.value
            if scope == "shared":
                values[parameter.name] = _value(parameter, "both models", (shared,), name, depth)
            else:
                per_input[parameter.name] = {
                    model: _value(parameter, model, places, name, depth)
                    for model, places in (inputs if scope == "input" else not_base).items()
                }
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"The parameters of {method.name} do not fit {name}: {' '.join(str(error).split())}"
        ) from None
    return values, per_input


def _value(
    parameter: Any, whose: str, places: tuple[Settings, ...], name: str, depth: float
) -> Any:
    for settings in places:
        if parameter.name not in settings:
            continue
        setting = settings[parameter.name]
        if is_scalar(setting):
            return parameter.validate(setting)
        from mergekit.config import evaluate_setting

        found = evaluate_setting(name, setting, depth, validate=parameter.validate)
        if found is not None:  # else no filter matches, and the next place may say more
            return found
    if parameter.required:
        raise ValueError(f"Missing required parameter {parameter.name} for {whose}")
    return parameter.validate(parameter.default)
