"""mergekit's merge methods: which there are, how alpha enters for two models, what they can be told.

    >>> method = Method.for_two("ties")
    >>> method.set_by_alpha
    ('lambda', 'weight')
    >>> method.check({"density": 0.5}, has_alpha=True)

A method's parameters are settings as in mergekit's YAML (a number, a gradient over depth, filters by
name); `hm_models.merge.parameters` says what they come to for one tensor.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import torch

from hm_models.errors import RecipeError, did_you_mean
from hm_models.merge.alpha import Alpha, settings

LINEAR = "linear"
BASE, INSTRUCT = "base", "instruct"  # the two inputs' names inside mergekit
Settings = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What is merged: names that tell the models apart, in the order of the sum, and the method's base.

    `base` is None where the method has none, or takes it for an input like the others.
    """

    names: tuple[str, ...]
    base: str | None = None

    @property
    def base_index(self) -> int | None:
        return None if self.base is None else self.names.index(self.base)


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of `mergekit.merge_methods`."""

    name: str

    @classmethod
    def named(cls, name: str) -> Method:
        """Return the method. Raises RecipeError where there is none of that name."""
        return cls._among(all_methods(), name, "")

    @classmethod
    def for_two(cls, name: str) -> Method:
        """Return the method. Raises RecipeError where there is none of that name for two models."""
        return cls._among(two_model_methods(), name, " for two models")

    @classmethod
    def _among(cls, known: frozenset[str], name: str, meant: str) -> Method:
        if name in known:
            return cls(name)
        raise RecipeError(
            f"merge_method={name!r} is not known{meant}.{did_you_mean(name, known)} "
            f"Known: {', '.join(sorted(known))}."
        )

    @property
    def spec(self) -> Any:
        """mergekit's own description: parameters with types and defaults, and what inputs it takes."""
        from mergekit.merge_methods import get

        return get(self.name).spec

    @property
    def pair(self) -> Inputs:
        """Base and instruct model, as this method takes them: some are for two inputs alike."""
        has_base = self.spec.contract.base.value == "required"
        return Inputs((BASE, INSTRUCT), BASE if has_base else None)

    @property
    def parameters(self) -> dict[str, Any]:
        return {parameter.name: parameter for parameter in self.spec.parameters}

    @property
    def set_by_alpha(self) -> tuple[str, ...]:
        """Parameters that alpha stands for; none where the method has no way between the two."""
        if "lambda" in self.parameters:  # the task-vector family: base + lambda * delta
            return ("lambda", "weight")
        if "weight" in self.parameters:
            return ("weight",)
        return ("t",) if self.name == "slerp" else ()  # nearswap's t is a threshold, no way between

    @property
    def extrapolates(self) -> bool:
        """Whether alpha goes on beyond 0 and 1 as it does between: a weighted sum, or task vectors."""
        return self.name == LINEAR or "lambda" in self.set_by_alpha

    def alpha_settings(self, alpha: Alpha) -> tuple[Settings, Settings, Settings]:
        """What alpha sets: for both inputs, for the base alone, for the instruct model alone.

        Task-vector methods take it as `lambda` with a weight of 1, since those that normalise their
        weights would divide a weight of alpha by itself.
        """
        if "lambda" in self.set_by_alpha:
            return {"lambda": settings(alpha), "weight": 1.0}, {}, {}
        if "weight" in self.set_by_alpha:
            return {}, {"weight": settings(alpha, -1.0, 1.0)}, {"weight": settings(alpha)}
        return dict.fromkeys(self.set_by_alpha, settings(alpha)), {}, {}

    def result_dtype(self, inputs: Inputs, dtype: torch.dtype) -> torch.dtype:
        """What mergekit leaves a merge in that is made in `dtype`, unless told otherwise."""
        from mergekit.merge_methods import merge_tensors

        others = len(inputs.names) - 1
        made = merge_tensors(
            [torch.ones(2, 2, dtype=dtype), *[torch.zeros(2, 2, dtype=dtype)] * others],
            self.name,
            parameters={name: 0.5 for name, value in self.parameters.items() if value.required},
            ids=inputs.names,
            base_index=inputs.base_index,
        )
        return made.dtype

    def check(self, given: Iterable[str], has_alpha: bool, written: str = "merge_params=") -> None:
        """Raise RecipeError for parameters that are unknown, doubled by alpha, or missing.

        Args:
            written: how somebody gives them where these came from.
        """
        given = set(given)
        free = sorted(self.parameters.keys() - (self.set_by_alpha if has_alpha else ()))
        if doubled := sorted(given & set(self.set_by_alpha)) if has_alpha else []:
            raise RecipeError(
                f"alpha sets {', '.join(doubled)} of {self.name}; leave it out. "
                f"What can be set: {', '.join(free) or 'nothing'}."
            )
        if unknown := sorted(given - self.parameters.keys()):
            raise RecipeError(
                f"{self.name} has no parameter {', '.join(map(repr, unknown))}. "
                f"It has: {', '.join(free) or 'none'}.{did_you_mean(unknown[0], free)}"
            )
        needed = {name for name, parameter in self.parameters.items() if parameter.required}
        if missing := sorted(needed - given - set(self.set_by_alpha if has_alpha else ())):
            raise RecipeError(
                f"merge_method={self.name} needs {', '.join(missing)}: give "
                f'{written}{{"{missing[0]}": VALUE}}.'
            )

    def check_values(self, given: Settings) -> None:
        """Raise RecipeError for what the method reads as an endless number, as the text "1e999"."""
        for name in given.keys() & self.parameters.keys():
            for value in _values(given[name]):
                try:
                    read = self.parameters[name].validate(value)
                except ValueError:
                    continue  # said when it is known for which tensors it does not fit
                refuse_endless({name: read})


def refuse_endless(given: Mapping[str, Any]) -> None:
    """Raise RecipeError if a number among these settings is NaN or infinite."""
    for name, setting in given.items():
        for value in _values(setting):
            if isinstance(value, float) and not math.isfinite(value):
                raise RecipeError(
                    f"The parameter {name} is {value}, and a merge with it holds no numbers any more. "
                    "Give a finite number."
                )


def _values(setting: object) -> Iterator[object]:
    """The values that stand in a gradient or in filters, or the one that the setting is."""
    if isinstance(setting, Mapping):
        yield from _values(setting.get("value"))
    elif isinstance(setting, (list, tuple)):
        for part in setting:
            yield from _values(part)
    elif setting is not None:
        yield setting


@cache
def all_methods() -> frozenset[str]:
    """Names of the registered methods, for however many models."""
    from mergekit.merge_methods import registered_methods

    return frozenset(method.spec.name for method in registered_methods())


@cache
def two_model_methods() -> frozenset[str]:
    """Names of the registered methods that accept one base and one other model, or two inputs."""
    from mergekit.merge_methods import registered_methods

    def accepts_two(spec: Any) -> bool:
        base = BASE if spec.contract.base.value == "required" else None
        try:
            spec.contract.validate_ids((BASE, INSTRUCT), base)
        except ValueError:
            return False
        return True

    return frozenset(m.spec.name for m in registered_methods() if accepts_two(m.spec))


@cache
def all_parameters() -> frozenset[str]:
    """The parameters of all methods that mergekit has, for however many models."""
    from mergekit.merge_methods import registered_methods

    return frozenset(p.name for method in registered_methods() for p in method.spec.parameters)
