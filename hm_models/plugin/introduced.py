"""Tasks of this plugin know the model that they are about to ask.

Harness: 0.4.13 and 0.5.0.dev1, which build requests without a word of the model.
Unnecessary: once `Task.build_all_requests` is told of the model.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any


def change(module: Any) -> None:
    """Introduce the model in `lm_eval.evaluator.evaluate`, before anything is built."""
    plain = module.evaluate

    @functools.wraps(plain)
    def evaluate(lm: Any, task_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        from lm_eval.api.model import CachingLM

        from hm_models.plugin.contracts import MeetsModel

        model = lm.lm if isinstance(lm, CachingLM) else lm
        for task in _values(task_dict):
            if isinstance(task, MeetsModel):
                task.meet(model)
        return plain(lm, task_dict, *args, **kwargs)

    module.evaluate = evaluate


def _values(found: Mapping[str, Any]) -> Iterator[Any]:
    # Tasks by name, in groups of groups or in the harness's `{"tasks": ..., "groups": ...}`.
    for value in found.values():
        yield from _values(value) if isinstance(value, dict) else (value,)
