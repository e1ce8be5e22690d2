"""A method's parameters as users write them, and what they come to for one tensor.

>>> depths(["embed_tokens", "layers.0.up_proj", "layers.1.up_proj", "layers.2.up_proj"])
{'embed_tokens': 0.0, 'layers.0.up_proj': 0.0, 'layers.1.up_proj': 0.5, 'layers.2.up_proj': 1.0}
>>> ParameterSources({"weight": 0.7}, {}).is_uniform, ParameterSources({"weight": [0, 1]}, {}).is_uniform
(True, False)

A setting is a value, a gradient over depth, or filters by name, as in mergekit's YAML; mergekit itself
evaluates the latter two. Of several places the nearest counts: one input's own, then what all share,
then the method's default.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from hm_models.errors import RecipeError
from hm_models.merge.methods import Inputs, Method, Settings


@dataclasses.dataclass(frozen=True)
class ParameterSources:
    """Settings as they were written: for all inputs, and for single ones by their name."""

    shared: Settings
    per_input: Mapping[str, Settings]

    def as_settings(self) -> ParameterSources:
        """The same as mergekit evaluates them. Raises RecipeError for what is no setting."""
        single = {name: as_settings(given) for name, given in self.per_input.items()}
        return ParameterSources(as_settings(self.shared), single)

    @property
    def is_uniform(self) -> bool:
        """Whether they say the same of every tensor."""
        places = (self.shared, *self.per_input.values())
        return all(is_scalar(value) for settings in places for value in settings.values())


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
    method: Method, inputs: Inputs, sources: ParameterSources, name: str, depth: float
) -> tuple[Settings, dict[str, dict[str, Any]]]:
    """Resolve filters and gradients for the tensor `name`, 0 (first layer) to 1 (last) in depth.

    Returns:
        Shared parameters by name, and parameters of single inputs by name and input.

    Raises:
        RecipeError: a value has the wrong type, or no filter matches this tensor.
    """
    places = {model: (sources.per_input[model], sources.shared) for model in inputs.names}
    not_base = {model: where for model, where in places.items() if model != inputs.base}
    values, per_input = {}, {}
    try:
        for parameter in method.spec.parameters:
            scope = parameter.scope.value
            if scope == "shared":
                where = (sources.shared,)
                values[parameter.name] = _value(parameter, "all models", where, name, depth)
            else:
                per_input[parameter.name] = {
                    model: _value(parameter, model, where, name, depth)
                    for model, where in (places if scope == "input" else not_base).items()
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
