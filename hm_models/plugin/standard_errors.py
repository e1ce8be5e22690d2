"""An aggregation may bring its own standard error, as those of this project do.

Harness: 0.4.13, which has errors for its own aggregations alone; 0.5.0.dev1, which resamples every other one.
Unnecessary: once the harness asks an aggregation for its error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def change(module: Any) -> None:
    """Ask the aggregation first, in `lm_eval.api.metrics`."""
    plain = module.stderr_for_metric

    def stderr_for_metric(
        metric: Any, bootstrap_iters: int
    ) -> Callable[[list[Any]], float | None] | None:
        own = getattr(metric, "stderr", None)  # it may be anybody's function
        if own is None or bootstrap_iters <= 0:
            return plain(metric, bootstrap_iters)
        return lambda items: own(items, bootstrap_iters)

    module.stderr_for_metric = stderr_for_metric
