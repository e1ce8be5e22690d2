"""evalplus's prompts, in both styles, and a request that can be asked in either.

Source: evalplus 0.3.1, codegen.py (instruction and response prefix) and provider/utility.py
(`make_raw_chat_prompt`). The base model continues the bare prompt; chat models get the instruction
as a user turn and the beginning of the answer as their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from hm_metrics.entropy import TokenSums
from hm_tasks.answered import AnsweredRequest

INSTRUCTION = (
    "Please provide a self-contained Python script that solves the following problem in a markdown "
    "code block:"
)
RESPONSE = (
    "Below is a Python script with a self-contained function that solves the problem and passes "
    "corresponding tests:"
)
# Marks where the model takes over inside the rendered conversation; any unlikely string will do.
TAKEOVER = "-[the model goes on here]-"

ApplyChatTemplate = Callable[..., str]


def completion_prompt(problem_prompt: str) -> str:
    """The prompt that a base model continues."""
    return problem_prompt.strip() + "\n"


def user_turn(problem_prompt: str) -> str:
    """What a chat model is asked."""
    return f"{INSTRUCTION}\n```\n{problem_prompt.strip()}\n```\n"


def chat_prompt(
    problem_prompt: str, apply_chat_template: ApplyChatTemplate, system: str | None
) -> str:
    """The rendered conversation up to the point where the answer's code begins.

    Args:
        apply_chat_template: messages -> str, as the harness's models have it.
        system: the harness's `--system_instruction`; None leaves the template's default.
    """
    messages = [{"role": "system", "content": system}] if system else []
    messages += [
        {"role": "user", "content": user_turn(problem_prompt)},
        {"role": "assistant", "content": f"{RESPONSE}\n```python\n{TAKEOVER}\n```\n"},
    ]
    return apply_chat_template(messages).split(TAKEOVER)[0]


@dataclasses.dataclass
class CodeRequest(AnsweredRequest):
    """One problem's request; it starts in completion style and may be turned into a chat.

    `hm-merged` calls `use_prompt_style` once it knows its style; with any other model of the
    harness, `--apply_chat_template` decides. It also calls `take_sample` for each sample, which notes
    how many were `reused` and, in `token_sums` by sample, the uncertainty at its tokens; that it finds
    by `measure_tokens`, where there is one.
    """

    style: str = "completion"
    system: str | None = None
    until: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    generation_kwargs: dict = dataclasses.field(default_factory=dict)
    measure_tokens: type[TokenSums] | None = None
    token_sums: dict[int, TokenSums] = dataclasses.field(default_factory=dict)
    reused: int = 0
    on_sample: Callable[[CodeRequest, str | None], None] | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    def take_sample(self, index: int, sample: Any) -> None:
        """Take one of this request's samples, as soon as a model has it, so that scoring may begin.

        A model may call it for each sample, or never; `resps` alone says what the samples are. It
        returns at once and raises nothing.

        Args:
            index: which of the request's n samples.
            sample: has `text`; `reused`, whether it was kept from an earlier run; and `facts`.
        """
        self.reused += sample.reused
        self.note_answer(index, sample)
        if sums := TokenSums.from_facts(sample.facts):
            self.token_sums[index] = sums
        if self.on_sample is not None:
            self.on_sample(self, self.answer(index, sample.text))

    def use_prompt_style(self, style: str, apply_chat_template: ApplyChatTemplate | None) -> None:
        """Write prompt and stop strings of `style` (`chat` or `completion`) into the arguments."""
        if style == "chat":
            assert apply_chat_template is not None, "chat style needs the model's chat template"
            prompt = self.chat_prompt(apply_chat_template)
        else:
            prompt = self.completion_prompt()
        self.style = style
        shared = self.generation_kwargs["until"]
        self.arguments = (
            prompt,
            self.generation_kwargs | {"until": [*shared, *self.until[style]]},
        )

    def chat_prompt(self, apply_chat_template: ApplyChatTemplate) -> str:
        return chat_prompt(self.doc["prompt"], apply_chat_template, self.system)

    def completion_prompt(self) -> str:
        return completion_prompt(self.doc["prompt"])
