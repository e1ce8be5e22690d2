"""The similarities are metrics of any task, each with an aggregation of its name.

Harness: 0.4.13 and 0.5.0.dev1. In 0.4.13 a metric gets a question's samples in one list of length 1, in 0.5 one
by one, and gives a value for each, which a `reduction` puts together.
Unnecessary: once an entry point of `lm_eval.metrics` can say which way is up and what puts questions together.
As a later release reads it (github.com/EleutherAI/lm-evaluation-harness/pull/4014, merged) it cannot; names
that are there already win.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

SIMILARITIES = ("local_similarity", "global_similarity", "global_similarity_all_pairs")


def change(module: Any) -> None:
    """Enter them into the registries that `lm_eval.api.metrics` has filled."""
    from lm_eval.api import registry

    for name in SIMILARITIES:
        aggregation = EntryPoint(name, f"hm_metrics.similarity:{name}", "lm_eval.aggregations")
        _enter(registry.aggregation_registry, name, aggregation)
        if hasattr(registry, "metric_agg_registry"):
            _enter(registry.metric_agg_registry, name, aggregation)
            _enter(registry.higher_is_better_registry, name, False)
        elif name not in registry.metric_registry:
            registry.register_metric(
                metric=name,
                higher_is_better=False,
                output_type="generate_until",
                aggregation=name,
            )(_in_one_list)
    if hasattr(registry, "metric_agg_registry"):
        registry.metric_registry.__class__ = _when_asked(registry)


def _enter(into: Any, name: str, target: Any) -> None:
    if name not in into:
        into.register(name, target=target)


def _when_asked(registry: Any) -> Any:
    """The class of 0.4.13's metrics, which knows ours and lists them once they were used.

    Its own tests want to know every metric that is listed.
    """

    class WithSimilarities(type(registry.metric_registry)):  # type: ignore[misc]
        def __contains__(self, name: str) -> bool:
            return name in SIMILARITIES or super().__contains__(name)

        def get(self, name: str, *default: Any) -> Any:
            if name in SIMILARITIES:
                # Loaded, as a task that names none looks for its name by what it is.
                registry.aggregation_registry.get(name)
                if not super().__contains__(name):
                    metric = EntryPoint(name, "hm_metrics.similarity:samples_of", "lm_eval.metrics")
                    self.register(name, target=metric)
            return super().get(name, *default)

    return WithSimilarities


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
