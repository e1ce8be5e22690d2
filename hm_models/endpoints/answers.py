"""What an endpoint's JSON says: a chat completion, or vectors. Servers differ, and models do worse.

    >>> read_chat({"choices": [{"message": {"content": "Yes."}}]})
    Completion(text='Yes.', refused=False, truncated=False)
    >>> read_embeddings({"data": [{"embedding": [1.0, 0.0]}]}, 1)
    array([[1., 0.]])

Whatever holds text is read; everything else is an `Unreadable` that says what is wrong. Nothing here
may raise anything else, whatever was sent.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import numpy as np

from hm_models.endpoints.failures import Unreadable

FILTERED, CUT = {"content_filter"}, {"length", "max_tokens"}  # of finish_reason
_TEXT_PARTS = {"text", "output_text", "input_text"}
_MOST_TOKENS = 10**9  # no count is larger


@dataclasses.dataclass(frozen=True)
class Completion:
    """One answer of a chat model.

    Attributes:
        text: its words; those of its refusal where it refused.
        refused: the model, or a filter, declined.
        truncated: it ran out of tokens.
    """

    text: str
    refused: bool = False
    truncated: bool = False


def counts_of(answer: Any) -> tuple[int | None, int | None]:
    """Tokens in and out; None where the endpoint gives no count that can be read."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None, None
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def read_chat(answer: Any) -> Completion:
    """The first choice of a chat completion.

    Raises:
        Unreadable: there is no text in it.
    """
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices:
        raise Unreadable(f"it has no choices: {_shown(answer)}")
    choice = choices[0]
    if not isinstance(choice, dict):
        raise Unreadable(f"its choice is no object: {_shown(choice)}")
    message = choice.get("message") or choice.get("delta")
    if message is None:
        message = choice.get("text")  # of a plain completion
    if isinstance(message, str):
        message = {"content": message}
    if not isinstance(message, dict):
        raise Unreadable(_failure_of(choice) or "its choice has no message")
    finish = choice.get("finish_reason")
    finish = finish if isinstance(finish, str) else ""
    if finish == "error":
        raise Unreadable(_failure_of(choice) or "the model broke off with an error")
    text, refusal = _text_of(message.get("content")), _refusal_of(message)
    if refusal or finish in FILTERED:
        return Completion(refusal or text or "", refused=True)
    if text is None and finish in CUT:
        return Completion("", truncated=True)
    if text is None:
        raise Unreadable(_failure_of(choice) or _what_instead(message))
    return Completion(text, truncated=finish in CUT)


def read_embeddings(answer: Any, n: int) -> np.ndarray:
    """[n, d] in the order of the texts, which need not be that of the answer.

    Raises:
        Unreadable: there are not n vectors of one length, one for each text.
    """
    items = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(items, list) or len(items) != n:
        if not isinstance(items, list):
            raise Unreadable(f"it has no embeddings: {_shown(answer)}")
        raise Unreadable(f"it has {len(items)} embeddings for {n} texts")
    indices = [item.get("index") if isinstance(item, dict) else None for item in items]
    if all(index is None for index in indices):
        order = list(range(n))
    else:
        order = [index if (index := _count(raw)) is not None else -1 for raw in indices]
        if sorted(order) != list(range(n)):
            raise Unreadable(f"its indices are not 0 to {n - 1}, each once")
    rows: list[Any] = [None] * n
    for index, item in zip(order, items, strict=True):
        rows[index] = _numbers(item.get("embedding") if isinstance(item, dict) else item)
    if len({len(row) for row in rows}) > 1:
        raise Unreadable("its embeddings have several lengths")
    return np.stack(rows)


def words_of(answer: Any) -> str:
    """What an error says, in any of the forms that servers have."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    for name in ("error", "detail", "message", "msg"):
        if isinstance(answer, dict) and answer.get(name):
            answer = answer[name]
            answer = answer[0] if isinstance(answer, list) else answer
    return answer if isinstance(answer, str) else _shown(answer)


def _shown(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)[:200]
    except RecursionError:
        return "what is nested too deeply"


def _text_of(content: Any) -> str | None:
    """The text of a message; of a list of parts, what is text, joined; None where there is none."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = []
    for part in parts:
        if isinstance(part, dict) and str(part.get("type", "text")) in _TEXT_PARTS:
            part = part.get("text")
            part = part.get("value") if isinstance(part, dict) else part  # OpenAI's assistants
        if isinstance(part, str):
            texts.append(part)
    return "".join(texts) if texts else None


def _refusal_of(message: dict[str, Any]) -> str:
    """The model's words for declining; empty where it did not."""
    parts = message.get("content")
    refusals = (
        [part.get("refusal") for part in parts if isinstance(part, dict)]
        if isinstance(parts, list)
        else []
    )
    found = [message.get("refusal"), *refusals]
    return " ".join(text for text in map(_text_of, found) if text)


def _what_instead(message: dict[str, Any]) -> str:
    for name in ("reasoning_content", "reasoning", "thinking"):
        if message.get(name):
            return "its message is all reasoning, without an answer"
    if message.get("tool_calls"):
        return "its message calls tools, without an answer"
    if (content := message.get("content")) is None:
        return "its message has no content"
    return f"its content is {_shown(content)}, without a text"


def _failure_of(choice: dict[str, Any]) -> str:
    """Gateways put the error of whom they asked into the choice."""
    return words_of(choice["error"]) if choice.get("error") else ""


def _count(value: Any) -> int | None:
    """A whole number from 0, which some servers send as a text."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value < _MOST_TOKENS else None


def _numbers(embedding: Any) -> np.ndarray:
    """[d] from base64, or from a list of numbers, which may be texts."""
    try:
        if isinstance(embedding, str) and not embedding.lstrip().startswith("["):
            return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
        numbers = json.loads(embedding) if isinstance(embedding, str) else embedding
        row = np.array(numbers, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unreadable(f"an embedding is no list of numbers ({str(error)[:100]})") from None
    row = row[0] if row.ndim == 2 and len(row) == 1 else row
    if row.ndim != 1 or not row.size:
        raise Unreadable("an embedding is no list of numbers")
    return row
