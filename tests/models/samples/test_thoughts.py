"""Thoughts in texts: where one ends, what is only spoken of, and that no draft is an answer."""

import gzip
import json
import os
import sys

import pytest

from hm_models.samples import thoughts
from hm_models.samples.thoughts import NATIVE, Marks, answer_in, answer_of, begins_again, begun_by

FENCE = "```"
BLOCK = f"{FENCE}python\nprint(1)\n{FENCE}"

ANSWERS = {
    "no thought at all": ("Yes.", "Yes."),
    "one line": ("<think>A draft.</think>Yes.", "Yes."),
    "lines of their own": ("<think>\nA draft.\n</think>\n\nYes.", "\n\nYes."),
    "an empty thought": ("<think>\n\n</think>\n\nYes.", "\n\nYes."),
    "begun in the prompt": ("A draft.\n</think>\nYes.", "\nYes."),
    "begun in the prompt, ended on its line": ("So it is 4.</think>Yes.", "Yes."),
    "code behind the marker": (f"<think>A draft.</think>{BLOCK}", BLOCK),
    "blanks around the marker": ("<think> a </think> the answer", " the answer"),
    "a quote before the marker": ('<think>He said "no"</think>Yes.', "Yes."),
    "a marker in quotes": ("<think>I end with `</think>` then.\n</think>\nYes.", "\nYes."),
    "a marker in a sentence": ("<think>I end with </think>, then.\n</think>\nYes.", "\nYes."),
    "a marker among words": ("<think>The tag </think> ends it.\n</think>\nYes.", "\nYes."),
    "two thoughts": ("<think>a</think>\nNo.\n<think>b</think>\nYes.", "\nYes."),
    "words before the thought": ("Sure.\n<think>\na\n</think>\nYes.", "\nYes."),
    "a second thought that is cut off": ("<think>a</think>\nYes.\n<think>b", "\nYes.\n"),
    "a draft's block that is never closed": (
        f"Hm.\n{FENCE}python\nx\n</think>\n\n{BLOCK}",
        f"\n\n{BLOCK}",
    ),
    "gpt-oss": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.",
        "Yes.",
    ),
    "gpt-oss without its special tokens": ("analysisWe think.assistantfinalYes.", "Yes."),
    "our own form": (
        "<begin_of_slow_thought>\na\n<end_of_slow_thought>\n<begin_of_solution>\nx",
        "\n<begin_of_solution>\nx",
    ),
    "our own form, its thought never ended": (
        "<begin_of_slow_thought>\na\n<begin_of_solution>\nx",
        "<begin_of_solution>\nx",
    ),
    "our own form behind the model's thought": (
        "<think>n</think>\n<begin_of_slow_thought>\na\n<end_of_slow_thought>\nx",
        "\nx",
    ),
}


@pytest.mark.parametrize(("text", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_the_answer_stands_behind_the_last_thought(text, answer):
    assert answer_of(text) == answer


@pytest.mark.parametrize("marks", NATIVE, ids=lambda marks: marks.end)
def test_all_families_markers_are_known_from_either_end(marks):
    assert answer_of(f"{marks.begin}\nA draft.\n{marks.end}\nYes.") == "\nYes."
    assert answer_of(f"A draft.\n{marks.end}\nYes.") == "\nYes."
    assert answer_of(f"{marks.begin}A draft") is None
    assert begun_by(f"user: 1 + 1?\nassistant: {marks.begin}\n") == marks


NO_THOUGHTS = {
    "a string": 'print("</think>")',
    "a string with more in it": 's.split("</think>\\n")[-1]',
    "a pattern": "re.sub(r'<think>.*?</think>', '', s)",
    "an f-string": 'f"<reasoning>{x}</reasoning>"',
    "a comment": "# up to </think>\nx = 1",
    "a block of code": f"{FENCE}\n<think>\n</think>\n{FENCE}\nThat is the form.",
    "prose": "Between <think> and </think> it thinks.",
    "a docstring in a block": f'{FENCE}python\ndef f():\n    """Cut at\n    </think>\n    """\n{FENCE}',
}


@pytest.mark.parametrize("text", NO_THOUGHTS.values(), ids=NO_THOUGHTS)
def test_a_text_that_only_speaks_of_markers_is_an_answer_to_the_letter(text):
    assert answer_of(text) == text


@pytest.mark.parametrize("text", NO_THOUGHTS.values(), ids=NO_THOUGHTS)
def test_the_same_behind_a_thought_is_the_answer(text):
    assert answer_of(f"<think>\nHm.\n</think>\n{text}") == f"\n{text}"


@pytest.mark.parametrize(
    "text",
    [
        "<think>",
        "<think>A draft",
        "<think>I will end with `</think>` soon",
        "<think>a</think>\n<think>b",
        "\n<think>a",
        "<begin_of_slow_thought>\na",
        "<think>n</think>\n<begin_of_slow_thought>\na",
    ],
)
def test_a_thought_that_does_not_end_has_no_answer(text):
    assert answer_of(text) is None


def test_a_thought_that_the_prompt_has_begun_needs_its_end():
    think = Marks("<think>", "</think>")
    assert begun_by("user: Hi.\nassistant: <think>\n") == think
    assert begun_by("Write <think> first.\nassistant: ") is None
    assert begun_by("assistant: <think>\n\n</think>\n\n") is None
    assert begun_by([{"role": "user", "content": "<think>"}]) is None
    assert answer_of("A draft without an end", think) is None
    assert answer_of("A draft.</think>Yes.", think) == "Yes."


def test_what_the_model_has_noted_goes_before_what_the_text_looks_like():
    assert answer_in("thought</think>answer", {"answer": [15, 21]}) == "answer"
    assert answer_in("only a thought", {"answer": None}) is None
    assert answer_in("<think>a</think>b", {"tokens": 3}) == "b"


def calls_for(text: str) -> int:
    """Calls, of C functions as well, that looking for the answer takes."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(note)
    try:
        answer_of(text)
    finally:
        sys.setprofile(None)
    return count


HOSTILE = [
    *("<think></think>\n", "`</think>`", "a <think>b</think>c\n", "a <think>b</think>c "),
    *(f"{FENCE}\n</think>\n", f"{FENCE}\n</think>\n{FENCE}\n", f"{FENCE}\n<think>\n{FENCE}\n"),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_text_of_twice_the_length_takes_twice_the_calls(piece):
    answer_of(piece)  # patterns are compiled once
    assert calls_for(piece * 600) <= 2.1 * calls_for(piece * 300)


@pytest.mark.parametrize("piece", HOSTILE[2:4])
def test_a_text_is_looked_through_for_a_beginning_once_and_not_for_each_end(piece, monkeypatch):
    looked = []

    def noted(text: str, *rest: object) -> object:
        looked.append(len(text))
        return begins_again(text, *rest)

    monkeypatch.setattr(thoughts, "begins_again", noted)
    text = piece * 50
    assert answer_of(text) == text
    assert len(looked) <= 2


@pytest.mark.parametrize("release", ["MBPP_OVERRIDE_PATH", "HUMANEVAL_OVERRIDE_PATH"])
def test_programs_are_answers_to_the_letter(release):
    if release not in os.environ:
        pytest.skip(f"{release} names no benchmark file")
    with gzip.open(os.environ[release], "rt", encoding="utf-8") as lines:
        programs = [json.loads(line)["canonical_solution"] for line in lines]
    assert len(programs) > 100
    assert [answer_of(program) for program in programs] == programs
