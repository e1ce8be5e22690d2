"""An aggregation may bring its own standard error, as those of this project do.

Harness: 0.4.13, which has errors for its own aggregations alone; 0.5.0.dev1, which resamples every other one.
Unnecessary: once the harness asks an aggregation for its error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hm_models.plugin.contracts import OwnError


def change(module: Any) -> None:
    """Ask the aggregation first, in `lm_eval.api.metrics`."""
    plain = module.stderr_for_metric

    def stderr_for_metric(
        metric: Any, bootstrap_iters: int
    ) -> Callable[[list[Any]], float | str] | None:
        if bootstrap_iters <= 0 or not isinstance(metric, OwnError):
            return plain(metric, bootstrap_iters)
        return lambda items: metric.stderr(items, bootstrap_iters)

    module.stderr_for_metric = stderr_for_metric
