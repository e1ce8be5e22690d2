"""No key and no credentials in the harness's results, whoever writes them later.

Harness: 0.4.13 and 0.5.0.dev1, which write model arguments and metadata as they were given.
Unnecessary: once the harness hides them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def change(module: Any) -> None:
    """Hide them in what `lm_eval.evaluator`'s functions return."""

    def hiding(plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def evaluate(*arguments: Any, **named: Any) -> Any:
            from hm_models.shown.secrets import hide_in_results

            return hide_in_results(plain(*arguments, **named))

        return evaluate

    for name in ("evaluate", "simple_evaluate"):
        setattr(module, name, hiding(getattr(module, name)))
