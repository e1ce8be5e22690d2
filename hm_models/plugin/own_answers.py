"""`--use_cache` for models that keep their answers themselves: the file that it names is theirs.

Harness: 0.4.13 and 0.5.0.dev1. Its `CachingLM` keeps one answer to a prompt and its settings, whatever the
model, the alpha and the number of samples (open: github.com/EleutherAI/lm-evaluation-harness/issues/3046).
Unnecessary: once a model can say that it needs no cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def change(module: Any) -> None:
    """Make `lm_eval.api.model.CachingLM` give such a model back, with the file."""
    plain = module.CachingLM

    class CachingLM(plain):  # type: ignore[misc, valid-type]
        """The harness's cache, but for models that keep their answers themselves."""

        def __new__(cls, lm: Any, cache_db: str, *args: Any, **kwargs: Any) -> Any:
            from hm_models.plugin.contracts import KeepsAnswers

            if not isinstance(lm, KeepsAnswers):
                return super().__new__(cls)
            lm.keep_samples_in(Path(cache_db))
            return lm

    module.CachingLM = CachingLM
