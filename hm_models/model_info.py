"""What a result says of the model that it is of: enough to repeat the merge.

model_info(engine, {"prompt_style": "chat", ...})     # `config` of results_*.json
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hm_models.engines.base import Engine
from hm_models.samples.key import same_again

REPORTED_PACKAGES = ("hindsight-merging", "mergekit", "torch", "transformers", "vllm", "lm_eval")


def model_info(
    engine: Engine, prompts: Mapping[str, Any], sampling_seed: int, kept_in: Path
) -> dict[str, Any]:
    """The entries of an engine's model, as plain JSON values.

    Args:
        prompts: how it was asked.
        kept_in: the file of its samples.
    """
    recipe = engine.recipe
    found = {
        **recipe.of_the_files(),
        "fingerprint": recipe.fingerprint(),
        "weights": engine.weights,
        "remarks": [*engine.plan.remarks, *recipe.remarks],
    }
    return {
        "merge": recipe.to_dict() | found,
        "backend": engine.name,
        **prompts,
        "sampling": {
            "seed": sampling_seed,
            "same_again": same_again(recipe, engine.arguments),
            "kept_in": str(kept_in),
        },
        "versions": {name: _version(name) for name in REPORTED_PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
