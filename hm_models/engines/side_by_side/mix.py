"""Two causal language models that answer as one: their next-token probabilities are mixed.

    HFLM(pretrained=MixedCausalLM(base=B, instruct=I, alpha=0.7), tokenizer=...)

At every step p = alpha * p_instruct + (1 - alpha) * p_base, the mixture of Hindsight Merging
(UAI 2025, Proposition 1) itself, which the merged weights only approximate. It costs both models'
memory and both their forward passes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from hm_models.engines.side_by_side.two_models import SideCaches, TwoModels


class MixedCausalLM(TwoModels):
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
        super().__init__({"base": base, "instruct": instruct}, like=instruct)
        self.alpha = alpha

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: SideCaches | None = None,
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
        past = past_key_values.sides if isinstance(past_key_values, SideCaches) else {}
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
            past_key_values=SideCaches(caches) if cached else None,
        )
