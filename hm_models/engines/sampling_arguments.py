"""Which parameters of sampling (`--gen_kwargs`) an engine takes; the others are refused by name.

check_sampling(model.engine, {"temperature": 0.7, "typical_p": 0.9})     # vLLM has none: RecipeError

vLLM and transformers would refuse most of them, too, but only once the model is there; and some would be
passed over. `hm_models.samples.generation` has what is refused whatever the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hm_models.engines.base import Engine
from hm_models.errors import RecipeError, did_you_mean
from hm_models.samples.generation import LENGTHS, checked
from hm_models.samples.key import is_sampled
from hm_models.samples.sampler import PARAMETERS, WHEN_GREEDY, check_value

# What the harness and hm-merged make of themselves, for every engine.
FOR_ALL = frozenset(("until", "do_sample", "temperature", *LENGTHS))


def check_sampling(engine: Engine, settings: Mapping[str, Any]) -> None:
    """Refuse parameters of sampling that nobody would take.

    Raises:
        RecipeError: an unknown name (the nearest known is named), one that the engine does not have or cannot
            use beside the others, or a value that it cannot have.
    """
    known, draws = engine.known_sampling() | FOR_ALL, is_sampled(settings)
    for name, value in checked(settings).items():
        if value is None:
            continue
        if reason := engine.reason_against_sampling(name, settings):
            raise RecipeError(f"{name}={value!r} among the sampling parameters {reason}")
        if name not in known:
            hint = did_you_mean(name, sorted(known)) or " docs/sampling.md says what there is."
            raise RecipeError(
                f"{name} is no sampling parameter of backend {engine.name}, where nobody would take it.{hint}"
            )
        if name in PARAMETERS and (draws or name in WHEN_GREEDY):
            check_value(name, value)
