"""The rate, its error and its bounds."""

import math

import numpy as np
import pytest

from hm_metrics.fulfillment import Tally, bounds, rate, rate_error


def test_with_one_answer_a_prompt_the_error_is_the_usual_one_of_a_mean():
    values = [1, 0, 0, 1, 1, 0, 0, 0]
    prompts = [Tally(value, 1) for value in values]
    assert rate(prompts) == np.mean(values)
    assert rate_error(prompts) == pytest.approx(np.std(values, ddof=1) / np.sqrt(len(values)))


def test_copies_of_an_answer_add_no_certainty():
    one = [Tally(value, 1) for value in (1, 0, 0, 1)]
    many = [Tally(10 * value, 10) for value in (1, 0, 0, 1)]
    assert rate_error(many) == pytest.approx(rate_error(one))


def test_the_error_is_what_drawing_prompts_anew_gives():
    random = np.random.default_rng(0)
    prompts = [Tally(int(random.integers(0, n + 1)), n) for n in random.integers(1, 6, size=300)]
    drawn = [
        rate([prompts[i] for i in random.integers(0, len(prompts), len(prompts))])
        for _ in range(2000)
    ]
    assert rate_error(prompts) == pytest.approx(np.std(drawn), rel=0.06)


def test_unscored_answers_leave_the_rate_and_open_the_bounds():
    prompts = [Tally(1, 1), Tally(0, 1), Tally(0, 0, unscored=2)]
    assert rate(prompts) == 0.5
    assert bounds(prompts) == (0.25, 0.75)


def test_without_a_scored_answer_there_is_no_rate():
    assert math.isnan(rate([Tally(0, 0, 3)]))
    assert math.isnan(rate_error([Tally(1, 1)]))
    assert bounds([Tally(0, 0, 3)]) == (0.0, 1.0)
    assert math.isnan(bounds([])[0])


@pytest.mark.parametrize("counts", [(2, 1, 0), (-1, 1, 0), (0, 1, -1)])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(ValueError, match="fulfilled <= scored"):
        Tally(*counts)
