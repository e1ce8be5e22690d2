"""Two causal language models behind one face: what mixing and switching them have in common.

    class MixedCausalLM(TwoModels): ...     # hm_models.engines.side_by_side.mix
    class SwitchedCausalLM(TwoModels): ...  # hm_models.engines.side_by_side.switch

Both models read the same tokens and have their own kv caches.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import Cache


class SideCaches(Cache):
    """The kv caches of the models that have run, by the name of their side."""

    def __init__(self, sides: dict[str, Cache]) -> None:
        # All layers in one list: what `Cache` does to its layers, such as reordering beams, then
        # reaches every model.
        super().__init__(layers=[layer for cache in sides.values() for layer in cache.layers])
        self.sides = sides


class TwoModels(PreTrainedModel, GenerationMixin):
    """Two models that have the same token in row i of both heads; each is an attribute by its name.

    Args:
        models: two, by the names of their sides, on one device; they are held, not copied or changed.
        like: the one whose `config` and `generation_config` are copied.

    Raises:
        ValueError: the vocabulary sizes differ.
    """

    def __init__(self, models: Mapping[str, PreTrainedModel], like: PreTrainedModel) -> None:
        first, second = (
            (name, model.config.get_text_config().vocab_size) for name, model in models.items()
        )
        if first[1] != second[1]:
            raise ValueError(
                f"{first[0]} gives a probability to {first[1]} tokens and {second[0]} to {second[1]}, "
                "but two models that answer as one need the same tokens. Where the surplus is only "
                "padding, call resize_token_embeddings(len(tokenizer)) on both; otherwise merge the "
                "weights with hm-merged, which matches tokens by their string."
            )
        config = copy.deepcopy(like.config)
        # transformers checks that a class can attend as its config says; only the two models do.
        config._attn_implementation = "eager"
        super().__init__(config)
        self.generation_config = copy.deepcopy(like.generation_config)
        for name, model in models.items():
            setattr(self, name, model)
        # No post_init(): it is for weights of one's own, and may initialise them.

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        # One cache made from one config cannot serve two models: each makes its own in `forward`.
        return False
