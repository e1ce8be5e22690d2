r"""One question to a chat model: tries over an OpenAI-compatible endpoint, and what they cost.

>>> encodable("cut \ud83d in two")
'cut ? in two'

chat = Chat("gpt-4.1-mini", [{"role": "user", "content": "Why?"}], 100, endpoint.secrets)
reply = await chat.ask(client, temperature=0.0)     # within a call of `hm_models.endpoints.client`
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hm_models.endpoints.answers import Completion, counts_of, read_chat
from hm_models.endpoints.failures import Refusal
from hm_models.shown.secrets import Secrets

if TYPE_CHECKING:
    from hm_models.endpoints.http import Client

_FILTERED = {"content_filter", "content_policy_violation", "invalid_prompt"}


class Chat:
    """One question, with its `calls`, `tokens_in` and `tokens_out` so far, failed tries included.

    Args:
        secrets: what the endpoint is sent beside the question, and must not bring into an answer.
        body: what else is sent, as `chat_template_kwargs` of vLLM's server.
    """

    def __init__(
        self,
        model: str,
        messages: Sequence[dict[str, str]],
        max_tokens: int,
        secrets: Secrets,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        self._body = dict(body or {})
        self._model, self._max_tokens, self._secrets = model, max_tokens, secrets
        self._messages = [{key: encodable(text) for key, text in m.items()} for m in messages]
        self.characters = sum(len(message["content"]) for message in self._messages)
        self.calls = self.tokens_in = self.tokens_out = 0
        self.uncounted = 0  # answers whose tokens the endpoint does not count, or not in numbers

    async def ask(self, client: Client, temperature: float) -> Completion:
        """One try.

        Raises:
            BadAnswer: no answer that can be read; another try may bring one.
        """
        self.calls += 1
        body = {**self._body, "model": self._model, "messages": self._messages}
        limits = {"temperature": temperature, "max_tokens": self._max_tokens}
        try:
            answer = await client.post("/chat/completions", body | limits)
        except Refusal as error:
            if error.code in _FILTERED:
                return Completion(f"The endpoint's filter: {error.code}.", refused=True)
            raise
        tokens_in, tokens_out = counts_of(answer)
        self.tokens_in += tokens_in or 0
        self.tokens_out += tokens_out or 0
        self.uncounted += tokens_in is None or tokens_out is None
        found = read_chat(answer)
        return dataclasses.replace(found, text=self._secrets.mask(encodable(found.text)))


def encodable(text: str) -> str:
    """The text without lone surrogates, which models write and UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
