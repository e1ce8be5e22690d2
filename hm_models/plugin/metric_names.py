"""The similarities are metrics of any task, each with an aggregation of its name.

Harness: 0.4.13. In 0.5.0.dev1 a metric is another kind of object: there a task's YAML names the functions
(`!function`).
Unnecessary: once entry points of `lm_eval.metrics` and `lm_eval.aggregations` are read, as merged for a
later release (github.com/EleutherAI/lm-evaluation-harness/pull/4014); where they are, nothing is changed.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

SIMILARITIES = ("local_similarity", "global_similarity", "global_similarity_all_pairs")


def change(module: Any) -> None:
    """Enter them into the registries that `lm_eval.api.metrics` has filled."""
    from lm_eval.api import registry

    if hasattr(registry, "load_plugins") or not hasattr(registry, "metric_agg_registry"):
        return
    for name in SIMILARITIES:
        metric = EntryPoint(name, "hm_metrics.similarity:samples_of", "lm_eval.metrics")
        aggregation = EntryPoint(name, f"hm_metrics.similarity:{name}", "lm_eval.aggregations")
        if name not in registry.metric_registry:
            registry.metric_registry.register(name, target=metric)
        if name not in registry.aggregation_registry:
            registry.aggregation_registry.register(name, target=aggregation)
            registry.metric_agg_registry.register(name, target=aggregation)
            registry.higher_is_better_registry.register(name, target=False)
