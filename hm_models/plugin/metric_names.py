"""The similarities are metrics of any task, each with an aggregation of its name.

Harness: 0.4.13 and 0.5.0.dev1. In 0.4.13 a metric gets a question's samples in one list of length 1, in 0.5 one
by one, and gives a value for each, which a `reduction` puts together.
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

    if hasattr(registry, "load_plugins"):
        return
    for name in SIMILARITIES:
        aggregation = EntryPoint(name, f"hm_metrics.similarity:{name}", "lm_eval.aggregations")
        if name not in registry.aggregation_registry:
            registry.aggregation_registry.register(name, target=aggregation)
        if name in registry.metric_registry:
            continue
        if not hasattr(registry, "metric_agg_registry"):
            registry.register_metric(
                metric=name,
                higher_is_better=False,
                output_type="generate_until",
                aggregation=name,
            )(_in_one_list)
            continue
        metric = EntryPoint(name, "hm_metrics.similarity:samples_of", "lm_eval.metrics")
        registry.metric_registry.register(name, target=metric)
        registry.metric_agg_registry.register(name, target=aggregation)
        registry.higher_is_better_registry.register(name, target=False)


def _in_one_list(
    references: Any,
    predictions: Any,
    embedder: str | None = None,
    embedder_base_url: str | None = None,
) -> Any:
    """The samples of a question as the one value that 0.5 keeps of it. Loaded when it is asked for.

    The harness passes on what is named here: also that a task has several targets, where anything is taken.
    """
    metric = EntryPoint("", "hm_metrics.similarity:samples_in_one_list", "lm_eval.metrics")
    named = {"embedder": embedder} if embedder else {}
    return metric.load()(references, predictions, embedder_base_url=embedder_base_url, **named)
