"""Filtered answers are logged as they are, where the harness replaces the images of multimodal models.

It makes every dict anew, also for chat models at endpoints, which it takes to be multimodal; ours would then
be written as Python writes a dict, and no reader of JSON could read the log.

Harness: 0.4.13 and 0.5.0.dev1.
Unnecessary: once images alone are replaced, or models at endpoints count as what they are.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any


def change(module: Any) -> None:
    """Put them back after `lm_eval.evaluator.hash_dict_images`."""
    plain = module.hash_dict_images

    @functools.wraps(plain)
    def hash_dict_images(
        samples: Mapping[str, list[dict[str, Any]]], *args: Any, **kwargs: Any
    ) -> Any:
        found = plain(samples, *args, **kwargs)
        for task, rows in samples.items():
            for before, after in zip(rows, found[task], strict=True):
                if any(isinstance(r, dict) for one in before["filtered_resps"] for r in _each(one)):
                    after["filtered_resps"] = before["filtered_resps"]
        return found

    module.hash_dict_images = hash_dict_images


def _each(response: Any) -> list[Any]:
    return response if isinstance(response, list) else [response]
