"""`--model hm-merged` is known, and imported when it is asked for.

Harness: 0.4.13 and 0.5.0.dev1.
Unnecessary: once entry points of the group `lm_eval.models` are read, as merged for a later release
(github.com/EleutherAI/lm-evaluation-harness/pull/4013); where they are (`load_plugins`), nothing is changed.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

MODEL = EntryPoint("hm-merged", "hm_models.merged:HindsightMerged", "lm_eval.models")


def change(module: Any) -> None:
    """Enter it into the registry that `lm_eval.models` has filled."""
    from lm_eval.api import registry

    # A lazy entry, equal to what a harness that reads entry points would make.
    if not hasattr(registry, "load_plugins") and MODEL.name not in registry.model_registry:
        registry.model_registry.register(MODEL.name, target=MODEL)
