"""Two causal language models that answer as one: each token is written by one of them.

    rule = Schedule.of({"every": 16})
    model = SwitchedCausalLM(first=B, second=I, like=I, rule=rule, decode=tokenizer.decode)
    model.generate(**inputs, switch_seeds=[1, 2])

Which one it is says `hm_models.merge.schedule`. A model reads what the other one wrote when it is needed
again, in one pass, so that a step in which all rows have the same one runs that one only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from hm_models.engines.side_by_side.two_models import SideCaches, TwoModels
from hm_models.merge.schedule import NO_SCORES, Schedule, ScheduleState

SIDES = ("first", "second")


class SwitchedCausalLM(TwoModels):
    """p(token) is that of the model that the schedule names, in each row.

    Args:
        first, second: the models, on one device, the one that begins first; they are held, not copied or
            changed.
        like: the one whose `config` and `generation_config` are copied. An answer ends at the stop
            tokens of either model.
        rule: when the other model goes on.
        decode: tokens -> text; rules that go by the text ask it.

    Raises:
        ValueError: the vocabulary sizes differ.
    """

    def __init__(
        self,
        first: PreTrainedModel,
        second: PreTrainedModel,
        like: PreTrainedModel,
        rule: Schedule,
        decode: Callable[[list[int]], str],
    ) -> None:
        super().__init__({"first": first, "second": second}, like)
        self.rule, self.decode = rule, decode
        stops = [*_stop_tokens(like), *_stop_tokens(first), *_stop_tokens(second)]
        self.generation_config.eos_token_id = list(dict.fromkeys(stops)) or None

    def generate(
        self, *inputs: Any, switch_seeds: Sequence[int | None] | None = None, **arguments: Any
    ) -> Any:
        """transformers' `generate`.

        Args:
            switch_seeds: one a row, for rules that draw. None takes them from torch's generator.
        """
        state = ScheduleState(self.rule, self.decode, switch_seeds)
        return super().generate(*inputs, schedule=state, **arguments)  # type: ignore[misc]

    def _beam_search(self, *_: Any, **__: Any) -> Any:
        raise ValueError(
            "num_beams above 1 compares whole answers by their probability. " + NO_SCORES
        )

    def prepare_inputs_for_generation(  # type: ignore[override]  # the arguments that count here
        self,
        input_ids: torch.Tensor,
        past_key_values: SideCaches | None = None,
        attention_mask: torch.Tensor | None = None,
        use_cache: bool | None = None,
        schedule: ScheduleState | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """The arguments of `forward` for the next token: always all tokens, and which model writes it."""
        return {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "past_key_values": past_key_values,
            "use_cache": use_cache,
            "sides": schedule and schedule.sides(input_ids),
        }

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        past_key_values: SideCaches | None = None,
        use_cache: bool | None = None,
        sides: Sequence[int] | None = None,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Return the logits of the next token, each row's from its side, and both kv caches as one.

        Args:
            input_ids: [rows, tokens], all so far, also those that the caches hold.
            attention_mask: [rows, tokens], 0 at padding; None where there is none.
            past_key_values: what an earlier call returned; None starts anew.
            sides: 0 (first) or 1 (second) for each row.

        Returns:
            logits: [rows, 1, vocabulary], of the last token alone.

        Raises:
            ValueError: no schedule says which model writes.
        """
        if sides is None:
            raise ValueError(NO_SCORES)
        positions = None
        if attention_mask is not None:
            positions = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
        caches = dict(past_key_values.sides) if past_key_values is not None else {}
        logits_of: dict[int, torch.Tensor] = {}
        for number in sorted(set(sides)):
            side = SIDES[number]
            read = caches[side].get_seq_length() if side in caches else 0
            output = getattr(self, side)(
                input_ids=input_ids[:, read:],
                attention_mask=attention_mask,
                position_ids=None if positions is None else positions[:, read:],
                past_key_values=caches.get(side),
                use_cache=use_cache,
                logits_to_keep=1,
            )
            logits_of[number] = output.logits
            if output.past_key_values is not None:
                caches[side] = output.past_key_values
        if len(logits_of) == 1:
            (logits,) = logits_of.values()
        else:
            second = torch.tensor(sides, device=logits_of[1].device, dtype=torch.bool)
            logits = torch.where(second[:, None, None], logits_of[1], logits_of[0])
        return CausalLMOutputWithPast(
            logits=logits,  # type: ignore[arg-type]  # declared as the legacy FloatTensor
            past_key_values=SideCaches(caches) if caches else None,
        )


def _stop_tokens(model: PreTrainedModel) -> list[int]:
    ids = model.generation_config.eos_token_id
    return [] if ids is None else list(ids) if isinstance(ids, (list, tuple)) else [ids]
