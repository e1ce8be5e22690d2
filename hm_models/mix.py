"""Two causal language models that answer as one: their next-token probabilities are mixed.

    HFLM(pretrained=MixedCausalLM(base=B, instruct=I, alpha=0.7), tokenizer=...)

At every step p = alpha * p_instruct + (1 - alpha) * p_base, the mixture of Hindsight Merging
(UAI 2025, Proposition 1) itself, which the merged weights only approximate. It costs both models'
memory and both their forward passes.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast


class MixedCache(Cache):
    """The kv caches of the models that run, by the name of their side."""

    def __init__(self, sides: dict[str, Cache]) -> None:
        # All layers in one list: what `Cache` does to its layers, such as reordering beams, then
        # reaches every model.
        super().__init__(layers=[layer for cache in sides.values() for layer in cache.layers])
        self.sides = sides


class MixedCausalLM(PreTrainedModel, GenerationMixin):
    """p(token) = alpha * p_instruct(token) + (1 - alpha) * p_base(token), at every step.

    Both models read the same tokens, so row i of both heads must be the same token. `config` and
    `generation_config`, and with it the stop tokens, are copies of the instruct model's.

    Args:
        base, instruct: the models, on one device; they are held, not copied or changed.
        alpha: weight of the instruct model, in [0, 1]; may be set anew between two generations. At
            0 and 1 only that one model runs.

    Raises:
        ValueError: the vocabulary sizes differ.
    """

    def __init__(self, base: PreTrainedModel, instruct: PreTrainedModel, alpha: float) -> None:
        sizes = [model.config.get_text_config().vocab_size for model in (base, instruct)]
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"base gives a probability to {sizes[0]} tokens and instruct to {sizes[1]}, but a "
                "mixture needs the same tokens on both sides. Where the surplus is only padding, "
                "call resize_token_embeddings(len(tokenizer)) on both; otherwise merge the weights "
                "with hm-merged, which matches tokens by their string."
            )
        config = copy.deepcopy(instruct.config)
        # transformers checks that a class can attend as its config says; only the two models do.
        config._attn_implementation = "eager"
        super().__init__(config)
        self.generation_config = copy.deepcopy(instruct.generation_config)
        self.base = base
        self.instruct = instruct
        self.alpha = alpha
        # No post_init(): it is for weights of one's own, and may initialise them.

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        # One cache made from one config cannot serve two models: each makes its own in `forward`.
        return False

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: MixedCache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **arguments: Any,
    ) -> CausalLMOutputWithPast:
        """Return the mixture's log-probabilities as `logits`, and both kv caches as one.

        Args:
            input_ids: [batch, tokens].
            past_key_values: what an earlier call returned; None starts anew.
            attention_mask, position_ids, use_cache, logits_to_keep, arguments: go to both models
                and mean what they mean there.

        Returns:
            logits: float32 [batch, tokens kept, vocabulary], normalised, in nats. Being a model's
                logits, they are tempered and truncated as the mixture's own distribution.

        Raises:
            ValueError: `past_key_values` is not a cache of the models that alpha lets run.
        """
        weights = {"base": 1 - self.alpha, "instruct": self.alpha}
        running = [side for side, weight in weights.items() if weight > 0]
        past = past_key_values.sides if isinstance(past_key_values, MixedCache) else {}
        if past_key_values is not None and list(past) != running:
            raise ValueError(
                f"past_key_values is a {type(past_key_values).__name__} of {list(past)}, but at "
                f"alpha={self.alpha:g} it must hold the caches of {running}. Pass what this model "
                "returned at this alpha, or None to start anew."
            )
        mixture: torch.Tensor | None = None
        caches = {}
        for side in running:
            output = getattr(self, side)(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=past.get(side),
                use_cache=use_cache,
                logits_to_keep=logits_to_keep,
                **arguments,
            )
            share = torch.log_softmax(output.logits, dim=-1, dtype=torch.float32)
            share = share + math.log(weights[side])
            mixture = share if mixture is None else torch.logaddexp(mixture, share)
            caches[side] = output.past_key_values
        cached = all(cache is not None for cache in caches.values())
        return CausalLMOutputWithPast(
            logits=mixture,  # type: ignore[arg-type]  # declared as the legacy FloatTensor
            past_key_values=MixedCache(caches) if cached else None,
        )
