"""`--cache_requests` tells apart generation settings, samples, repeats and releases of the harness.

Harness: 0.4.13 and 0.5.0.dev1, which name the file of requests by task and tokenizer alone.
Unnecessary: once the file's name has all that shapes a request
(open: github.com/EleutherAI/lm-evaluation-harness/issues/3881).
"""

from __future__ import annotations

import functools
from typing import Any


def change(module: Any) -> None:
    """Put what shapes a request into the name, in `Task.build_all_requests`."""
    task = module.Task
    plain = task.build_all_requests

    @functools.wraps(plain)
    def build_all_requests(
        self: Any, *, cache_requests: bool = False, tokenizer_name: str = "", **rest: Any
    ) -> Any:
        if cache_requests:
            from lm_eval import __version__
            from lm_eval.utils import hash_string

            from hm_models.samples.sampler import VERBALIZED

            shaped: tuple[Any, ...]
            # 0.5 reads what 0.4.13 has written, and cannot use it.
            config = self.config
            shaped = (config.generation_kwargs, config.repeats, rest.get("samples"), __version__)
            if asked := (config.metadata or {}).get(VERBALIZED):
                shaped += (asked,)
            tokenizer_name = f"{tokenizer_name}-{hash_string(repr(shaped))[:16]}"
        return plain(self, cache_requests=cache_requests, tokenizer_name=tokenizer_name, **rest)

    task.build_all_requests = build_all_requests
