"""Packed samples come back as they were, and are small."""

import base64
import json
import random
import sys
import zlib

import pytest

from hm_metrics.report.samples_blob import Packed, PageSample, Question, pack
from tests.metrics.report_page.made_up import ATTACKS

NUMBERS = {"base": 0, "merged": 1, "instruct": 2}


def text(rng: random.Random, longest: int = 30) -> str:
    """Any characters at all, halves of pairs among them."""
    return "".join(chr(rng.randrange(sys.maxunicode + 1)) for _ in range(rng.randrange(longest)))


@pytest.mark.parametrize("seed", range(30))
def test_any_text_comes_back_as_it_was(seed):
    rng = random.Random(seed)
    some = [PageSample(*(text(rng) for _ in range(5))) for _ in range(6)]
    some += [PageSample(attack, attack, "", "pass", attack) for attack in ATTACKS]
    some += [PageSample(s.text, s.text) for s in some[:3]] + [
        PageSample("", ""),
        PageSample("0", "0"),
        PageSample("a"),
    ]
    samples = {row: [rng.choice(some) for _ in range(20)] for row in NUMBERS if rng.random() < 0.8}
    question = Question(text(rng), text(rng), text(rng), samples, text(rng))
    # JSON joins a high and a low half that stand side by side; so does every browser.
    assert unpacked(pack(question, NUMBERS), question) == joined(question)


def unpacked(packed: Packed, of: Question) -> Question:
    """The question that was packed, as the page's script reads it."""
    content = json.loads(zlib.decompress(base64.b64decode(packed.data)))
    samples = [
        PageSample(text, text if program == 0 else program, base, plus, content["reasons"][why])
        for text, program, base, plus, why in content["outcomes"]
    ]
    ids = {str(number): row for row, number in NUMBERS.items()}
    rows = {ids[row]: [samples[at] for at in places] for row, places in content["rows"].items()}
    named = joined([of.task, of.question])
    return Question(*named, content["prompt"], rows, content["entry_point"])


def joined(value):
    """What is left of halves of pairs that met."""
    if isinstance(value, str):
        return json.loads(json.dumps(value))
    if isinstance(value, dict):
        return {key: joined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [joined(item) for item in value]
    return type(value)(**{name: joined(item) for name, item in vars(value).items()})


def test_what_is_packed_means_nothing_in_html():
    packed = pack(
        Question("t", "q", " ".join(ATTACKS), {"base": [PageSample(a) for a in ATTACKS]}), NUMBERS
    )
    assert packed.data.isascii()
    assert packed.data.replace("+", "").replace("/", "").rstrip("=").isalnum()


def test_equal_samples_cost_a_number_each():
    rng = random.Random(0)
    long = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=20_000))
    once = pack(Question("t", "q", "", {"base": [PageSample(long, long)]}), NUMBERS)
    often = pack(
        Question("t", "q", "", {row: [PageSample(long, long)] * 100 for row in NUMBERS}), NUMBERS
    )
    assert len(often.data) < len(once.data) + 200


def test_programs_that_differ_in_a_name_cost_little():
    """They are in one question but far apart: 40 models, 300 programs each of its own kind."""
    rng = random.Random(0)
    kinds = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz ", k=500)) for _ in range(300)]
    rows = {str(row): row for row in range(40)}
    samples = {row: [PageSample(f"{kind} {row}") for kind in kinds] for row in rows}
    alone = pack(Question("t", "q", "", {"0": samples["0"]}), rows)
    together = pack(Question("t", "q", "", samples), rows)
    assert len(together.data) < 3 * len(alone.data)


@pytest.mark.parametrize(
    ("verdicts", "counts"),
    [
        ([("pass", "pass"), ("pass", "fail"), ("fail", "pass"), ("timeout", "pass")], [1, 4, 4]),
        ([("pass", ""), ("", "pass"), ("", "fail")], [2, 3, 3]),
        ([("unscored", "unscored"), ("pass", "unscored"), ("pass", "pass")], [1, 1, 3]),
        ([("refused", ""), ("", "")], [0, 0, 2]),
    ],
)
def test_a_sample_passes_when_it_passes_all_tests_it_has(verdicts, counts):
    samples = [PageSample("x", "x", base, plus) for base, plus in verdicts]
    assert pack(Question("t", "q", "", {"merged": samples}), NUMBERS).counts == [[1, *counts]]


def test_a_row_without_samples_is_not_counted():
    assert pack(
        Question("t", "q", "", {"base": [], "merged": [PageSample("x")]}), NUMBERS
    ).counts == [[1, 0, 0, 1]]
