"""How text reaches the model: its tokenizer and chat template, without its weights.

Prompts are part of what an answer is kept under, and a run whose answers are all known should start no
engine; so prompts are rendered here, with the arguments that the harness's backend would pass on.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

from hm_models.checkpoints.tokenizer import load_tokenizer
from hm_models.prompts.chat_templates import NO_TEMPLATE, GivenTemplate
from hm_models.prompts.rendered import ChatTemplateError, Turn, continued, rendered
from hm_models.samples.thinking import Thinking


class TokenizerSource:
    """Tokenizer and chat template of a checkpoint, as the harness's backend would use them.

    Args:
        folder: the checkpoint whose tokenizer and chat template count.
        arguments: the backend's; `tokenizer`, `trust_remote_code` and `think_end_token` matter here.
        template_arguments: what the backend passes on to the chat template.
        given: the chat template that counts in place of the tokenizer's own.
        day_of: the day that prompts of a chat template (its text) are given, where it asks for one;
            by default today's.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Mapping[str, Any],
        template_arguments: Mapping[str, Any],
        given: GivenTemplate | None = None,
        day_of: Callable[[str], datetime.date] = lambda template: datetime.date.today(),
    ) -> None:
        self._source = str(arguments.get("tokenizer") or folder)
        self._remote = arguments.get("trust_remote_code", False)
        self._think_end_token = arguments.get("think_end_token")
        self._given = given
        self._day_of = day_of
        self.day: datetime.date | None = None  # what a prompt was given; None if none asked
        self._template_arguments = dict(template_arguments)

    @cached_property
    def tokenizer(self) -> Any:
        tokenizer = load_tokenizer(self._source, self._remote)
        if self._given is not None:
            tokenizer.chat_template = self._given.text
        return tokenizer

    @cached_property
    def thinking(self) -> Thinking:
        """How the model marks its thoughts."""
        return Thinking.of(self.tokenizer, self._think_end_token)

    @property
    def name(self) -> str:
        """What the harness calls this tokenizer in file names."""
        return self.tokenizer.name_or_path.replace("/", "__")

    def render(self, chat_history: list[Turn], add_generation_prompt: bool = True) -> str:
        """The conversation as one prompt; without `add_generation_prompt` its last turn goes on.

        Raises:
            ChatTemplateError: there is no chat template, or it cannot say the conversation.
        """
        if not self.tokenizer.chat_template:
            raise ChatTemplateError(f"{self._source} {NO_TEMPLATE}")
        given = self._given and self._given.name
        whose = f"The chat template {given or 'of ' + self._source}"
        if add_generation_prompt:
            return rendered(self._apply, chat_history, whose)
        return continued(self._apply, chat_history, whose)

    def _apply(self, turns: list[Turn], add_generation_prompt: bool = True) -> str:
        template = str(self.tokenizer.chat_template)
        # transformers' own clock would make other prompts, keys and seeds every day.
        clock = {"strftime_now": self._strftime} if "strftime_now" in template else {}
        with _the_same_draws():
            return self.tokenizer.apply_chat_template(
                turns,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
                **(clock | self._template_arguments),
            )

    def _strftime(self, form: str) -> str:
        if self.day is None:
            self.day = self._day_of(str(self.tokenizer.chat_template))
        return datetime.datetime.combine(self.day, datetime.time()).strftime(form)

    def template(self, chat_template: bool | str) -> str | None:
        """The text of the chat template that the harness logs."""
        return TemplateLM.chat_template(self, chat_template)  # type: ignore[arg-type]


@contextmanager
def _the_same_draws() -> Iterator[None]:
    """Let templates that draw (`random`, `lipsum`) draw the same for the same conversation."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)
