"""One question to a chat model: tries over an OpenAI-compatible endpoint, and what they cost.

chat = Chat("gpt-4.1-mini", [{"role": "user", "content": "Why?"}], max_tokens=100)
reply = await chat.ask(client, temperature=0.0)     # within a call of `openai_client.Endpoint`
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hm_metrics.openai_client import BadAnswer

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_FILTERED = {"content_filter", "content_policy_violation", "invalid_prompt"}


@dataclasses.dataclass(frozen=True)
class Reply:
    """What the model said.

    Attributes:
        text: its words; those of the refusal where it refused.
        refused: the model or the endpoint's filter declined to answer.
        truncated: it ran out of tokens.
    """

    text: str
    refused: bool = False
    truncated: bool = False


class Chat:
    """One question, with its `calls`, `tokens_in` and `tokens_out` so far, failed tries included."""

    def __init__(self, model: str, messages: Sequence[dict[str, str]], max_tokens: int) -> None:
        self._model, self._max_tokens = model, max_tokens
        self._messages = [{key: encodable(text) for key, text in m.items()} for m in messages]
        self.characters = sum(len(message["content"]) for message in self._messages)
        self.calls = self.tokens_in = self.tokens_out = 0

    async def ask(self, client: AsyncOpenAI, temperature: float) -> Reply:
        """One try.

        Raises:
            BadAnswer: no answer that can be read; another try may bring one.
        """
        from openai import BadRequestError

        self.calls += 1
        try:
            answer = await client.chat.completions.create(
                model=self._model,
                messages=self._messages,  # type: ignore[arg-type]
                temperature=temperature,
                max_tokens=self._max_tokens,
            )
        except BadRequestError as error:
            if error.code in _FILTERED:
                return Reply(f"The endpoint's filter: {error.code}.", refused=True)
            raise
        except ValueError as error:  # what the library cannot read
            raise BadAnswer(str(error)) from error
        if usage := getattr(answer, "usage", None):
            self.tokens_in += usage.prompt_tokens or 0
            self.tokens_out += usage.completion_tokens or 0
        if not getattr(answer, "choices", None):
            raise BadAnswer("it has no choices")
        choice = answer.choices[0]
        text, refusal = choice.message.content or "", choice.message.refusal
        if refusal or choice.finish_reason == "content_filter":
            return Reply(encodable(refusal or text), refused=True)
        return Reply(encodable(text), truncated=choice.finish_reason == "length")


def encodable(text: str) -> str:
    """The text without lone surrogates, which models write and UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
