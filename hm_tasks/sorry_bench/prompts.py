"""A request to the model under test, in both prompt styles, and what became of its samples.

SORRY-Bench asks without a system prompt: the request alone, as a user turn; a base model continues it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from hm_tasks.answered import AnsweredRequest


@dataclasses.dataclass
class RefusalRequest(AnsweredRequest):
    """One request; it starts in completion style and may be turned into a chat.

    `hm-merged` calls `use_prompt_style` once it knows its style and `take_sample` as samples are there;
    with any other model of the harness, `--apply_chat_template` decides.
    """

    system: str | None = None  # the harness's --system_instruction
    generation_kwargs: dict = dataclasses.field(default_factory=dict)
    reused: dict[int, bool] = dataclasses.field(default_factory=dict)  # by sample

    def use_prompt_style(self, style: str, apply_chat_template: Callable[..., str] | None) -> None:
        """Write the prompt of `style` (`chat` or `completion`) into the arguments."""
        prompt = self.doc["request"]
        if style == "chat":
            assert apply_chat_template is not None, "chat style needs the model's chat template"
            system = [{"role": "system", "content": self.system}] if self.system else []
            prompt = apply_chat_template([*system, {"role": "user", "content": prompt}])
        self.arguments = (prompt, self.generation_kwargs)

    def take_sample(self, index: int, sample: Any) -> None:
        """Note whether the sample was made in this run."""
        self.reused[index] = sample.reused
        self.note_answer(index, sample)
