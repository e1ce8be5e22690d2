"""Answers under status 200 that hold no text and no vectors, as endpoints of all sorts have sent them.

Endpoint(faults=lambda number: odd(number) if number % 2 else None)
"""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.models.endpoints.endpoint import Fault, reply


def _chat(message: object, **choice: object) -> dict:
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"} | choice]}


# What comes, and what the reason says.
ODD: list[tuple[object, str]] = [
    (None, "no choices: null"),
    (5, "no choices: 5"),
    ([], "no choices"),
    ({}, "no choices"),
    ({"choices": None}, "no choices"),
    ({"choices": []}, "no choices"),
    ({"choices": 5}, "no choices"),
    ({"choices": [None]}, "no object"),
    ({"choices": ["text"]}, "no object"),
    ({"choices": [{"finish_reason": "stop"}]}, "no message"),
    (_chat(None), "no message"),
    (_chat([1]), "no message"),
    (_chat({"content": None}), "no content"),
    (_chat({"content": 5}), "its content is 5"),
    (_chat({"content": {"a": 1}}), "without a text"),
    (_chat({"content": [{"type": "image_url"}]}), "without a text"),
    (_chat({"content": None, "reasoning_content": "#thescore: 1"}), "all reasoning"),
    (_chat({"content": None, "tool_calls": [{}]}), "calls tools"),
    (_chat({"content": "x"}, finish_reason="error"), "broke off"),
    ({"error": {"message": "the model is asleep", "code": "x"}}, "the model is asleep"),
    ({"error": "out of memory"}, "out of memory"),
    (b"<html><body>Please log in</body></html>", "Please log in"),
    (b"", "it is empty"),
    (b'{"choices": [', "no JSON"),
    (b'{"choices":' + b"[" * 100_000, "nested too deeply"),
    (b'{"usage": ' + b"9" * 5000 + b"}", "no JSON"),
]
TEXT_OF: list[Callable[[str], object]] = [
    lambda text: _chat({"content": [{"type": "text", "text": text}]}),
    lambda text: _chat({"content": [text[:3], {"text": text[3:]}]}),
    lambda text: {"choices": [{"delta": {"content": text}}], "usage": {"prompt_tokens": "12"}},
    lambda text: (
        _chat({"content": text}) | {"usage": {"prompt_tokens": -1, "completion_tokens": None}}
    ),
    lambda text: {"choices": [{"message": {"content": text, "refusal": 5}}], "usage": "many"},
]


def odd(number: int) -> Fault:
    """The answer of this number, the same for the same."""
    return reply(ODD[number % len(ODD)][0])


def unusual(number: int) -> Fault:
    """The right text in another form."""

    def answer(handler, right: bytes) -> None:
        text = json.loads(right)["choices"][0]["message"]["content"]
        reply(TEXT_OF[number % len(TEXT_OF)](text))(handler, right)

    return answer
