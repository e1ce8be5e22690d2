"""evalplus's prompts, in both styles, and a request that can be asked in either.

>>> print(user_turn("Add one to a number."), end="")
Please provide a self-contained Python script that solves the following problem in a markdown code block:
```
Add one to a number.
```

Source: evalplus 0.3.1, codegen.py (instruction and response prefix), provider/utility.py
(`make_raw_chat_prompt`) and provider/openai.py. The base model continues the bare prompt; chat models
get the instruction as a user turn and the beginning of the answer as their own. Models behind an
endpoint that takes turns (`local-chat-completions`) get the instruction alone: whether such an endpoint
goes on with a beginning is not known, and evalplus sends none.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hm_models.prompts.rendered import ApplyChatTemplate, asked, opened, rendered
from hm_tasks.answered import AnsweredRequest
from hm_tasks.verbalized import BEGUN

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
    begin: str = f"{RESPONSE}\n```python\n",
) -> Any:
    """The conversation up to the point where the answer's code begins.

    Args:
        apply_chat_template: turns -> text, as the harness's models have it.
        system: the harness's `--system_instruction`.
        whose: names the template in errors.
        begin: of the answer.

    Returns:
        A text; or, of a model that sends turns to an endpoint, those of the question.

    Raises:
        ChatTemplateError: the problem, the answer's beginning or the system turn would be lost.
    """
    turns = asked(user_turn(problem_prompt), system)
    prompt = opened(apply_chat_template, turns, begin, whose, rest="\n```\n")
    if isinstance(prompt, str):
        return prompt
    return rendered(apply_chat_template, asked(endpoint_turn(problem_prompt), system), whose)


@dataclasses.dataclass
class CodeRequest(AnsweredRequest):
    """One problem's request.

    Attributes:
        until: the stop strings of each prompt style.
    """

    until: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @property
    def begun(self) -> str:
        return BEGUN if isinstance(self.arguments[0], str) else ""

    def generation_arguments(self, prompt: Any) -> dict[str, Any]:
        if self.verbalized is not None:
            return self.verbalized.generation(self.generation_kwargs, str(self.task_name))
        until = list(self.generation_kwargs["until"])
        if isinstance(prompt, str):  # else the answer is a whole message, and no part of one
            until += self.until[self.style]
        return self.generation_kwargs | {"until": until}

    def chat_prompt(self, apply_chat_template: ApplyChatTemplate, whose: str) -> Any:
        problem, call = self.doc["prompt"], self.verbalized
        if call is None:
            return chat_prompt(problem, apply_chat_template, self.system, whose)
        several = call.asking(apply_chat_template)
        prompt = chat_prompt(problem, several, self.system, whose, begin=BEGUN)
        call.check(prompt, whose)
        return prompt

    def completion_prompt(self) -> str:
        return completion_prompt(self.doc["prompt"])

    def of_the_problem(self) -> list[str]:
        return [self.doc["prompt"].strip()]
