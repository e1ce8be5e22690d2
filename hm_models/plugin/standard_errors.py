"""An aggregation may bring its own standard error, as those of this project do; its counts have none.

Harness: 0.4.13, which has errors for its own aggregations alone; 0.5.0.dev1, which resamples every other one.
Unnecessary: once the harness asks an aggregation for its error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hm_models.plugin.contracts import OwnError

# Whose other functions have no error: Python's own and this project's.
WITHOUT = ("builtins", "hm_metrics", "hm_tasks")


def change(module: Any) -> None:
    """Ask the aggregation first, in `lm_eval.api.metrics`."""
    plain = module.stderr_for_metric

    @functools.wraps(plain)
    def stderr_for_metric(
        metric: Any, bootstrap_iters: int, *args: Any, **kwargs: Any
    ) -> Callable[[list[Any]], float | str] | None:
        if bootstrap_iters > 0 and isinstance(metric, OwnError):
            return lambda items: metric.stderr(items, bootstrap_iters)
        # Sums, least values, and words in place of a rate, which 0.5 would resample.
        if metric.__module__.partition(".")[0] in WITHOUT:
            return None
        return plain(metric, bootstrap_iters, *args, **kwargs)

    module.stderr_for_metric = stderr_for_metric
