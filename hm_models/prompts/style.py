"""Requests in the prompt style of a model: chat or completion, unless the harness has rendered them.

>>> request = Instance("generate_until", {}, ("2+2?", {}), 0)
>>> Styler().apply([request], "chat", lambda turns, **_: f"[{turns[0]['role']}] {turns[0]['content']}")
>>> request.args[0]
'[user] 2+2?'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.instance import Instance

from hm_models.errors import RecipeError
from hm_models.prompts.conversation import ask_in_turns, was_rendered
from hm_models.samples.request import TaskRequest

PROMPT_STYLES = ("auto", "chat", "completion")


def check_style(asked: str) -> None:
    """Raise RecipeError for a `prompt_style` of the model's arguments that there is not."""
    if asked not in PROMPT_STYLES:
        raise RecipeError(
            f"prompt_style={asked!r} is not known. Known: {', '.join(PROMPT_STYLES)}."
        )


class Styler:
    """Brings requests into a style, in place, so that logs show what was sent.

    Attributes:
        by_harness: whether the harness had applied the chat template (`--apply_chat_template`) to what
            was asked last.
    """

    def __init__(self) -> None:
        self.by_harness = False
        self._rendered: set[str] = set()

    def note_rendered(self, prompt: str) -> str:
        """Know a prompt that was made for the harness, which is asked as it is from then on."""
        self._rendered.add(prompt)
        return prompt

    def look_at(self, requests: Sequence[Instance]) -> list[Instance]:
        """The requests, each once, whose prompts the harness has not rendered.

        It is noted at requests as they are built; of others it is known by the prompts.
        """
        plain = []
        for request in {id(request): request for request in requests}.values():
            noted = was_rendered(request)
            self.by_harness = request.args[0] in self._rendered if noted is None else noted
            if not self.by_harness:
                plain.append(request)
        return plain

    def apply(
        self, requests: Sequence[Instance], style: str, apply_chat_template: Callable[..., Any]
    ) -> None:
        """Write prompts of `style` (`chat` or `completion`) into the requests' arguments.

        A request of the contract knows both styles; any other prompt becomes, in chat style, the turns
        of `hm_models.prompts.conversation`. What the harness has rendered stays.
        """
        for request in self.look_at(requests):
            if isinstance(request, TaskRequest):
                request.use_prompt_style(style, apply_chat_template)
            elif style == "chat":
                ask_in_turns(request, apply_chat_template)
