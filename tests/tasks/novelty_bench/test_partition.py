"""Answers to classes, greedily, with as few comparisons as the published way."""

import os
from pathlib import Path

import pytest

from hm_metrics.judgment import Judgment
from hm_models.files.text_files import json_lines
from hm_tasks.novelty_bench.partition import partition


def oracle(class_of, asked=None):
    """Compare by known classes; note what was asked."""

    def compare(pairs):
        if asked is not None:
            asked.append(list(pairs))
        return [Judgment(int(class_of[p, a] == class_of[p, b]), "oracle") for p, a, b in pairs]

    return compare


def test_each_class_is_asked_for_once_over_all_questions_at_the_same_time():
    asked = []
    known = {("p", "a1"): 0, ("p", "b1"): 1, ("p", "a2"): 0, ("q", "x"): 0, ("q", "y"): 0}
    found = partition([("p", ["a1", "b1", "a2", "a1"]), ("q", ["x", "y"])], oracle(known, asked))
    assert [made.classes for made in found] == [(0, 1, 0, 0), (0, 0)]
    assert asked == [
        [("p", "a1", "b1"), ("p", "a1", "a2"), ("q", "x", "y")],
        [],
    ]
    assert [made.firsts() for made in found] == [["a1", "b1"], ["x"]]
    assert found[0].different == 3


def test_an_answer_is_compared_with_the_first_of_a_class_alone():
    """Sameness need not be transitive: 2 is like 1 and like 3, which are not alike."""
    near = lambda pairs: [Judgment(int(abs(int(a) - int(b)) < 2), "") for _, a, b in pairs]  # noqa: E731
    assert partition([("p", ["1", "3", "2"])], near)[0].classes == (0, 1, 0)
    assert partition([("p", ["2", "3", "1"])], near)[0].classes == (0, 0, 0)


def test_a_pair_without_a_verdict_leaves_its_question_open_and_no_other():
    def compare(pairs):
        return [
            Judgment(None, "asked", "truncated") if p == "p" else Judgment(0, "asked")
            for p, _, _ in pairs
        ]

    open_, other = partition([("p", ["a", "b"]), ("q", ["a", "b"])], compare)
    assert (open_.classes, open_.unscored) == (None, "truncated")
    assert other.classes == (0, 1)


def test_an_answer_that_ends_within_a_thought_leaves_its_question_open_unasked():
    (found,) = partition([("p", ["a", None])], lambda pairs: 1 / 0)
    assert (found.classes, found.unscored, found.different) == (None, "unfinished", 1)


def test_equal_texts_are_one_class_unasked():
    found = partition([("p", ["a", "a", "a"])], oracle({}))
    assert found[0].classes == (0, 0, 0)
    assert found[0].judgments == []


@pytest.mark.skipif(
    not os.environ.get("NOVELTY_BENCH_SCORES_PATH"),
    reason="NOVELTY_BENCH_SCORES_PATH names no published scores.jsonl",
)
def test_an_oracle_of_the_published_classes_gives_the_published_partition():
    lines = [line.value for line in json_lines(Path(os.environ["NOVELTY_BENCH_SCORES_PATH"]))]
    known = {
        (line["prompt"], text): number
        for line in lines
        for text, number in zip(line["generations"], line["partition"], strict=True)
    }
    found = partition([(line["prompt"], line["generations"]) for line in lines], oracle(known))
    assert [list(made.classes) for made in found] == [line["partition"] for line in lines]
