"""vLLM's load format `hm-merged`: the engine's weights are the merged stream, nothing on disk.

vLLM loads the instruct model's config and tokenizer as usual and asks this loader for weights. The
loader is registered by importing this module; `worker_extension_cls` makes every worker import it
before loading, under spawn, tensor parallelism and Ray alike.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator

import torch
from vllm.model_executor.model_loader import register_model_loader
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader

from hm_models.recipe import MergeRecipe
from hm_models.stream import merged_tensors

LOAD_FORMAT = "hm-merged"
RECIPE_KEY = "hm_recipe"
WORKER_EXTENSION = f"{__name__}.MergingWorker"


@register_model_loader(LOAD_FORMAT)
class MergedModelLoader(DefaultModelLoader):
    """DefaultModelLoader whose primary source of weights is a merge."""

    def __init__(self, load_config) -> None:
        extra = dict(load_config.model_loader_extra_config)
        self.recipe = MergeRecipe(**extra.pop(RECIPE_KEY))
        # The parent refuses keys and formats that it does not know.
        super().__init__(
            dataclasses.replace(
                load_config, load_format="safetensors", model_loader_extra_config=extra
            )
        )

    def _get_weights_iterator(self, source) -> Generator[tuple[str, torch.Tensor], None, None]:
        if source.prefix or source.subfolder:
            # Some architectures add a second source of weights; it is not part of the merge.
            return super()._get_weights_iterator(source)
        self.counter_before_loading_weights = time.perf_counter()  # for the parent's log line
        return (pair for pair in merged_tensors(self.recipe))


class MergingWorker:
    """Mixed into vLLM's worker class; importing it is what registers the loader there."""


def engine_arguments(recipe: MergeRecipe) -> dict:
    """The arguments of `vllm.LLM` that make it load this merge."""
    return {
        "load_format": LOAD_FORMAT,
        "model_loader_extra_config": {RECIPE_KEY: recipe.to_dict()},
        "worker_extension_cls": WORKER_EXTENSION,
    }
