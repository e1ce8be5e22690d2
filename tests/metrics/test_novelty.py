"""Classes and what they are worth, against sums by hand and, where it is named, the published file."""

import os
import statistics
from pathlib import Path

import pytest

from hm_metrics.novelty import distinct, utility
from hm_models.files.text_files import json_lines


def test_only_the_first_answer_of_a_class_is_worth_something_and_later_ones_less():
    # (9 + 0.8 * 4 + 0.64 * 0 + 0.512 * 5) / (1 + 0.8 + 0.64 + 0.512)
    assert utility([0, 1, 0, 2], [9, 4, 5]) == pytest.approx(14.76 / 2.952)
    assert utility([0, 1, 0, 2], [9, 4, 5], patience=1.0) == pytest.approx(18 / 4)
    assert utility([0], [7]) == 7.0
    assert distinct([0, 1, 0, 2]) == 3


@pytest.mark.parametrize(("classes", "scores"), [([], []), ([0, 1], [3]), ([0], [3, 4])])
def test_scores_that_are_not_one_for_each_class_are_refused(classes, scores):
    with pytest.raises(ValueError, match="expected one for each"):
        utility(classes, scores)


@pytest.mark.skipif(
    not os.environ.get("NOVELTY_BENCH_SCORES_PATH"),
    reason="NOVELTY_BENCH_SCORES_PATH names no published scores.jsonl",
)
def test_published_partitions_and_scores_give_the_published_numbers():
    lines = [line.value for line in json_lines(Path(os.environ["NOVELTY_BENCH_SCORES_PATH"]))]
    ours = [utility(line["partition"], line["partition_scores"]) for line in lines]
    assert max(abs(a - line["utility"]) for a, line in zip(ours, lines, strict=True)) < 1e-12
    assert statistics.mean(ours) == pytest.approx(2.8658255953362204, abs=1e-9)
    assert all(distinct(line["partition"]) == line["distinct"] + 1 for line in lines)
