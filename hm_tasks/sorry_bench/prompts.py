"""A request to the model under test, in both prompt styles, and what became of its samples.

SORRY-Bench asks without a system prompt: the request alone, as a user turn; a base model continues it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hm_models.prompts.rendered import ApplyChatTemplate, asked, rendered
from hm_models.samples.truncation import is_cut
from hm_tasks.answered import AnsweredRequest


@dataclasses.dataclass
class RefusalRequest(AnsweredRequest):
    """One request; it starts in completion style and may be turned into a chat.

    `hm-merged` calls `use_prompt_style` once it knows its style and `take_sample` as samples are there;
    with any other model of the harness, `--apply_chat_template` decides.
    """

    style: str = "completion"
    system: str | None = None  # the harness's --system_instruction
    generation_kwargs: dict = dataclasses.field(default_factory=dict)
    reused: dict[int, bool] = dataclasses.field(default_factory=dict)  # by sample
    cut_prompts: int = 0

    def use_prompt_style(
        self,
        style: str,
        apply_chat_template: ApplyChatTemplate | None,
        whose: str = "The model's chat template",
    ) -> None:
        """Write the prompt of `style` (`chat` or `completion`) into the arguments."""
        prompt: Any = self.doc["request"]
        if style == "chat":
            assert apply_chat_template is not None, "chat style needs the model's chat template"
            prompt = rendered(apply_chat_template, asked(prompt, self.system), whose)
        self.style = style
        self.arguments = (prompt, self.generation_kwargs)

    def of_the_problem(self) -> list[str]:
        """What in the prompt is this request's; the rest is the same for all."""
        return [self.doc["request"]]

    def take_sample(self, index: int, sample: Any) -> None:
        """Note whether the sample was made in this run, and whether its prompt was cut."""
        self.reused[index] = sample.reused
        self.cut_prompts += is_cut(sample.facts)
        self.note_answer(index, sample)
