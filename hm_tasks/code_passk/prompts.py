"""evalplus's prompts, in both styles, and a request that can be asked in either.

Source: evalplus 0.3.1, codegen.py (instruction and response prefix), provider/utility.py
(`make_raw_chat_prompt`) and provider/openai.py. The base model continues the bare prompt; chat models
get the instruction as a user turn and the beginning of the answer as their own. Models behind an
endpoint that takes turns (`local-chat-completions`) get the instruction alone: whether such an endpoint
goes on with a beginning is not known, and evalplus sends none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from hm_metrics.entropy import TokenSums
from hm_models.prompts.rendered import ApplyChatTemplate, asked, opened, rendered
from hm_models.samples.truncation import is_cut
from hm_tasks.answered import AnsweredRequest

INSTRUCTION = (
    "Please provide a self-contained Python script that solves the following problem in a markdown "
    "code block:"
)
RESPONSE = (
    "Below is a Python script with a self-contained function that solves the problem and passes "
    "corresponding tests:"
)


def completion_prompt(problem_prompt: str) -> str:
    """The prompt that a base model continues."""
    return problem_prompt.strip() + "\n"


def user_turn(problem_prompt: str) -> str:
    """What a chat model is asked."""
    return f"{INSTRUCTION}\n```\n{problem_prompt.strip()}\n```\n"


def endpoint_turn(problem_prompt: str) -> str:
    """What a chat model behind an endpoint is asked."""
    return f"{INSTRUCTION}\n```python\n{problem_prompt.strip()}\n```"


def chat_prompt(
    problem_prompt: str,
    apply_chat_template: ApplyChatTemplate,
    system: str | None,
    whose: str = "The model's chat template",
) -> Any:
    """The conversation up to the point where the answer's code begins.

    Args:
        apply_chat_template: turns -> text, as the harness's models have it.
        system: the harness's `--system_instruction`.
        whose: names the template in errors.

    Returns:
        A text; or, of a model that sends turns to an endpoint, those of the question.

    Raises:
        ChatTemplateError: the problem, the answer's beginning or the system turn would be lost.
    """
    turns = asked(user_turn(problem_prompt), system)
    prompt = opened(apply_chat_template, turns, f"{RESPONSE}\n```python\n", whose, rest="\n```\n")
    if isinstance(prompt, str):
        return prompt
    return rendered(apply_chat_template, asked(endpoint_turn(problem_prompt), system), whose)


@dataclasses.dataclass
class CodeRequest(AnsweredRequest):
    """One problem's request; it starts in completion style and may be turned into a chat.

    `hm-merged` calls `use_prompt_style` once it knows its style; with any other model of the
    harness, `--apply_chat_template` decides. It also calls `take_sample` for each sample, which notes
    how many were `reused`, to how many the prompt was cut and, in `token_sums` by sample, the
    uncertainty at its tokens; that it finds by `measure_tokens`, where there is one.
    """

    style: str = "completion"
    system: str | None = None
    until: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    generation_kwargs: dict = dataclasses.field(default_factory=dict)
    measure_tokens: type[TokenSums] | None = None
    token_sums: dict[int, TokenSums] = dataclasses.field(default_factory=dict)
    reused: int = 0
    cut_prompts: int = 0
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
        self.cut_prompts += is_cut(sample.facts)
        self.note_answer(index, sample)
        if sums := TokenSums.from_facts(sample.facts):
            self.token_sums[index] = sums
        if self.on_sample is not None:
            self.on_sample(self, self.answer(index, sample.text))

    def use_prompt_style(
        self,
        style: str,
        apply_chat_template: ApplyChatTemplate | None,
        whose: str = "The model's chat template",
    ) -> None:
        """Write prompt and stop strings of `style` (`chat` or `completion`) into the arguments."""
        if style == "chat":
            assert apply_chat_template is not None, "chat style needs the model's chat template"
            prompt = self.chat_prompt(apply_chat_template, whose)
        else:
            prompt = self.completion_prompt()
        self.style = style
        until = list(self.generation_kwargs["until"])
        if isinstance(prompt, str):  # else the answer is a whole message, and no part of one
            until += self.until[style]
        self.arguments = (prompt, self.generation_kwargs | {"until": until})

    def chat_prompt(self, apply_chat_template: ApplyChatTemplate, whose: str) -> Any:
        return chat_prompt(self.doc["prompt"], apply_chat_template, self.system, whose)

    def completion_prompt(self) -> str:
        return completion_prompt(self.doc["prompt"])

    def of_the_problem(self) -> list[str]:
        """What in the prompt is this problem's; the rest is the same for all."""
        return [self.doc["prompt"].strip()]
