"""Whatever an endpoint sends becomes a text, vectors, or a sentence; nothing else is ever raised."""

import base64
import json
import math

import numpy as np
import pytest

from hm_models.endpoints.answers import counts_of, read_chat, read_embeddings, words_of
from hm_models.endpoints.failures import Unreadable

TEXT = "It declines.\n#thescore: 0"


def chat(message=None, **choice):
    return {"choices": [{"message": message, "finish_reason": "stop"} | choice]}


def nested(depth: int):
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


READ = {
    "a text": chat({"content": TEXT}),
    "one part": chat({"content": [{"type": "text", "text": TEXT}]}),
    "parts": chat({"content": [{"type": "text", "text": TEXT[:5]}, {"text": TEXT[5:]}]}),
    "bare texts": chat({"content": [TEXT[:5], TEXT[5:]]}),
    "one part without a list": chat({"content": {"type": "text", "text": TEXT}}),
    "output parts": chat({"content": [{"type": "output_text", "text": TEXT}]}),
    "a text in an object": chat({"content": [{"type": "text", "text": {"value": TEXT}}]}),
    "a thought before it": chat(
        {"content": [{"type": "reasoning", "text": "#thescore: 1"}, {"type": "text", "text": TEXT}]}
    ),
    "a picture beside it": chat({"content": [{"type": "image_url", "image_url": {}}, TEXT]}),
    "an odd part beside it": chat({"content": [None, 5, {"type": ["text"]}, {"text": TEXT}]}),
    "a delta": {"choices": [{"delta": {"content": TEXT}}]},
    "a plain completion": {"choices": [{"text": TEXT}]},
    "a message that is a text": chat(TEXT),
    "no reason to finish": {"choices": [{"message": {"content": TEXT}}]},
    "an odd reason to finish": chat({"content": TEXT}, finish_reason=["stop"]),
    "an odd refusal": chat({"content": TEXT, "refusal": 5}),
    "reasoning beside it": chat({"content": TEXT, "reasoning_content": "#thescore: 1"}),
    "odd counts": chat({"content": TEXT}) | {"usage": [1]},
}


@pytest.mark.parametrize("name", READ)
def test_where_there_is_text_it_is_read(name):
    found = read_chat(READ[name])
    assert (found.text, found.refused, found.truncated) == (TEXT, False, False)


UNREADABLE = {
    "null": (None, "no choices"),
    "a number": (5, "no choices: 5"),
    "a list": ([{"error": 1}], "no choices"),
    "an empty object": ({}, "no choices: {}"),
    "choices null": ({"choices": None}, "no choices"),
    "choices empty": ({"choices": []}, "no choices"),
    "choices a number": ({"choices": 5}, "no choices"),
    "choices an object": ({"choices": {"0": {}}}, "no choices"),
    "a choice that is a text": ({"choices": [TEXT]}, "its choice is no object"),
    "a choice that is null": ({"choices": [None]}, "its choice is no object"),
    "no message": ({"choices": [{"finish_reason": "stop"}]}, "no message"),
    "message null": (chat(None), "no message"),
    "a message that is a list": (chat([1]), "no message"),
    "content null": (chat({"content": None}), "no content"),
    "no content": (chat({"role": "assistant"}), "no content"),
    "content a number": (chat({"content": 5}), "its content is 5, without a text"),
    "content of pictures": (chat({"content": [{"type": "image_url"}]}), "without a text"),
    "content empty list": (chat({"content": []}), "without a text"),
    "all reasoning": (chat({"content": None, "reasoning_content": TEXT}), "all reasoning"),
    "all reasoning parts": (
        chat({"content": [{"type": "reasoning", "text": TEXT}]}),
        "without a text",
    ),
    "tools": (chat({"content": None, "tool_calls": [{}]}), "calls tools"),
    "an error in the choice": (
        {"choices": [{"finish_reason": "error", "error": {"message": "upstream is gone"}}]},
        "upstream is gone",
    ),
    "an error after a text": (chat({"content": TEXT}, finish_reason="error"), "broke off"),
    "deep content": (chat({"content": nested(50_000)}), "nested too deeply"),
    "a deep error": (chat(None, error=nested(50_000)), "nested too deeply"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_where_there_is_no_text_the_reason_says_what_was_there(name):
    answer, reason = UNREADABLE[name]
    with pytest.raises(Unreadable, match=reason):
        read_chat(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (chat({"content": None, "refusal": "No."}), "No."),
        (chat({"content": [{"type": "refusal", "refusal": "No."}]}), "No."),
        (chat({"content": None, "refusal": [{"text": "No."}]}), "No."),
        (chat({"content": "x"}, finish_reason="content_filter"), "x"),
        (chat({"content": None}, finish_reason="content_filter"), ""),
    ],
)
def test_a_refusal_is_one_in_any_form(answer, words):
    found = read_chat(answer)
    assert (found.refused, found.text) == (True, words)


def test_an_answer_that_ran_out_of_tokens_in_its_thought_is_cut():
    assert read_chat(chat({"content": None, "reasoning": "Hm"}, finish_reason="length")).truncated
    assert read_chat(chat({"content": TEXT}, finish_reason="max_tokens")).truncated


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 12, "completion_tokens": 3}, (12, 3)),
        ({"prompt_tokens": "12", "completion_tokens": 3.0}, (12, 3)),
        ({"prompt_tokens": -5, "completion_tokens": 10**30}, (None, None)),
        ({"prompt_tokens": math.nan, "completion_tokens": 1e308}, (None, None)),
        ({"prompt_tokens": True, "completion_tokens": [1]}, (None, None)),
        ({"prompt_tokens": "²", "completion_tokens": "many"}, (None, None)),
        (None, (None, None)),
        ("12", (None, None)),
    ],
)
def test_counts_are_numbers_or_unknown(usage, counts):
    assert counts_of({"usage": usage}) == counts


ROWS = np.array([[1.0, 0.5], [0.25, -1.0]])


def items(*embeddings):
    return {"data": [{"index": i, "embedding": e} for i, e in enumerate(embeddings)]}


def packed(row) -> str:
    return base64.b64encode(np.asarray(row, "<f4").tobytes()).decode()


VECTORS = {
    "base64": items(*map(packed, ROWS)),
    "decimals": items(*ROWS.tolist()),
    "one of each": items(packed(ROWS[0]), ROWS[1].tolist()),
    "texts of numbers": items(*[[str(x) for x in row] for row in ROWS]),
    "JSON within": items(*[json.dumps(row.tolist()) for row in ROWS]),
    "each in a list of its own": items(*[[row.tolist()] for row in ROWS]),
    "the other way round": {"data": items(*ROWS.tolist())["data"][::-1]},
    "no index": {"data": [{"embedding": row.tolist()} for row in ROWS]},
    "index null": {"data": [{"index": None, "embedding": row.tolist()} for row in ROWS]},
    "index as text": {
        "data": [{"index": str(i), "embedding": ROWS[i].tolist()} for i in (1, 0)],
    },
    "rows alone": ROWS.tolist(),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_read_in_any_form_and_in_the_order_of_the_texts(name):
    assert np.array_equal(read_embeddings(VECTORS[name], 2), ROWS)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"data": None},
        {"data": "x"},
        items(ROWS[0].tolist()),
        items(*ROWS.tolist(), [1.0, 1.0]),
        items([1.0], [1.0, 2.0]),
        items([], []),
        items(None, None),
        items("!", "!"),
        items("QUJD", "QUJD"),  # three bytes are no number
        items(["a"], ["b"]),
        items([10**400], [1]),
        items({"a": 1}, {"a": 1}),
        items([[1.0], [2.0]], [[1.0], [2.0]]),
        items(nested(2000), [1.0]),
        items("[" * 100_000, [1.0]),
        {"data": [{"index": 0, "embedding": [1.0]}] * 2},
        {"data": [{"index": i, "embedding": [1.0]} for i in (1, 2)]},
        {"data": [{"index": -1, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
        {"data": [{"embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
        {"data": [{"index": 0}, {"index": 1}]},
    ],
)
def test_what_are_no_vectors_is_unreadable_and_nothing_worse(answer):
    with pytest.raises(Unreadable):
        read_embeddings(answer, 2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": {"message": "no such model", "code": 404}}, "no such model"),
        ({"error": "no such model"}, "no such model"),
        ({"object": "error", "message": "too long"}, "too long"),
        ({"detail": [{"msg": "field required", "loc": ["body"]}]}, "field required"),
        ([{"error": {"message": "bad key"}}], "bad key"),
        ("<html>", "<html>"),
        ({"odd": 1}, '{"odd": 1}'),
    ],
)
def test_an_endpoints_own_words_are_found(answer, words):
    assert words_of(answer) == words
