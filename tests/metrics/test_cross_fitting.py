"""Folds cover every question once a repeat, and what was judged on them is no surer than one cut of them."""

import numpy as np
import pytest

from hm_metrics.comparison import paired_difference
from hm_metrics.cross_fitting import folds, judged_difference


@pytest.mark.parametrize(("questions", "number"), [(10, 3), (4, 5), (7, 2)])
def test_every_question_is_judged_once_a_repeat(questions, number):
    found = np.array(folds(questions, number, repeats=4, seed=1)).reshape(4, -1, questions)
    assert (found.sum(axis=1) == 1).all()
    assert len({each.tobytes() for each in found}) > 1
    assert not np.array_equal(found, folds(questions, number, repeats=4, seed=2))


def test_the_interval_is_that_of_one_repeat_not_of_their_average():
    random = np.random.default_rng(0)
    ours, theirs = random.normal(0.3, 1, (50, 100)), np.zeros((50, 100))
    found = judged_difference(ours, theirs)
    averaged = paired_difference(ours.mean(axis=0), theirs[0])
    assert found.estimate == averaged.estimate
    assert averaged.high - averaged.low < 0.1
    assert found.high - found.low == pytest.approx(2 * 1.98 / 10, rel=0.05)
    assert found.p_value > averaged.p_value


def test_one_repeat_is_the_paired_comparison():
    random = np.random.default_rng(0)
    ours, theirs = random.random((2, 1, 200))
    found, plain = judged_difference(ours, theirs), paired_difference(ours[0], theirs[0])
    assert found.low == pytest.approx(plain.low, abs=2e-3)
    assert found.high == pytest.approx(plain.high, abs=2e-3)


def test_questions_without_a_value_are_left_out():
    ours = np.array([[0.5, np.nan, 1.0, np.nan], [1.0, 0.5, np.nan, np.nan]])
    found = judged_difference(ours, np.zeros((2, 4)))
    assert (found.questions, found.left_out) == (3, 1)
    assert found.estimate == pytest.approx((0.75 + 0.5 + 1.0) / 3)
