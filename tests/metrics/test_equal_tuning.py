"""Equal tuning: more settings gain nothing by being more, and a real lead stays one."""

import numpy as np
import pytest

from hm_metrics.equal_tuning import equal_tuning


def settings(number: int, chances: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """So many settings that are all alike, each measured with a few samples."""
    return random.binomial(4, np.broadcast_to(chances, (number, len(chances)))) / 4


def test_a_family_with_more_settings_gains_nothing_by_having_them():
    naive, fair, wrong, misled = [], [], 0, 0
    for world in range(150):
        random = np.random.default_rng(world)
        chances = random.beta(0.8, 0.8, 60)
        found = equal_tuning(settings(12, chances, random), settings(2, chances, random), splits=40)
        assert found.m == 2
        naive.append(found.naive.estimate)
        fair.append(found.difference.estimate)
        wrong += found.difference.low > 0 or found.difference.high < 0
        misled += found.naive.low > 0
    assert np.mean(naive) > 0.02
    assert abs(np.mean(fair)) < 0.005
    assert wrong <= 0.05 * 150
    assert misled > wrong


def test_a_real_lead_is_found():
    random = np.random.default_rng(0)
    chances = random.beta(2, 2, 200)
    found = equal_tuning(
        settings(3, np.clip(chances + 0.15, 0, 1), random), settings(3, chances, random)
    )
    assert found.difference.low > 0.05
    assert found.ours - found.theirs == pytest.approx(found.difference.estimate)


def test_one_setting_each_is_the_plain_comparison():
    ours, theirs = np.array([[1.0, 0.5, np.nan, 0.0]]), np.array([[0.0, 0.5, 1.0, 0.0]])
    found = equal_tuning(ours, theirs)
    assert found.difference == found.naive
    assert found.best == (0, 0)
    assert found.difference.left_out == 1


def test_what_is_chosen_is_never_judged_on_the_questions_it_was_chosen_on():
    # Each setting is right on one half alone: who chooses on that half is wrong on the other.
    values = np.array([[1.0] * 20 + [0.0] * 20, [0.0] * 20 + [1.0] * 20])
    found = equal_tuning(values, np.full((2, 40), 0.5))
    assert found.ours < 0.5
    assert found.theirs == 0.5


@pytest.mark.parametrize(
    ("shapes", "m", "words"),
    [
        (((2, 8), (3, 8)), 3, "m=3: there are 2 and 3 settings. Choose m from 1 to 2"),
        (((2, 8), (3, 8)), 0, "m=0"),
        (((2, 8), (2, 9)), None, "expected the same questions"),
        (((2, 3), (2, 3)), None, "3 questions cannot be halved"),
    ],
)
def test_what_cannot_be_is_refused_by_a_sentence(shapes, m, words):
    with pytest.raises(ValueError, match=words):
        equal_tuning(*(np.zeros(shape) for shape in shapes), m=m)
