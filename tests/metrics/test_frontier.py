"""Frontiers with known areas, and contests with a known outcome."""

import numpy as np
import pytest

from hm_metrics.frontier import Family, contest, coverage, dominance, height, hypervolume, unbeaten


def flat(points: list[tuple[float, float]], questions: int = 40, name: str = "f") -> Family:
    """A family without any spread over questions."""
    x, y = np.array(points).T
    return Family(name, np.repeat(x[:, None], questions, 1), np.repeat(y[:, None], questions, 1))


@pytest.mark.parametrize(
    ("points", "reference", "area"),
    [
        ([(1, 1)], (0, 0), 1.0),
        ([(0.5, 1), (1, 0.5)], (0, 0), 0.75),
        ([(0.5, 1), (1, 0.5), (0.5, 0.5), (0.2, 0.9)], (0, 0), 0.75),
        ([(1, 1), (1, 1)], (0, 0), 1.0),
        ([(3, 1), (2, 2), (1, 3)], (0, 0), 6.0),
        ([(3, 1), (2, 2), (1, 3)], (1, 1), 1.0),
        ([(0.5, 0.5)], (0.6, 0.0), 0.0),
    ],
)
def test_a_frontier_has_the_area_of_its_steps(points, reference, area):
    x, y = np.array(points, dtype=float).T
    assert hypervolume(x, y, reference) == pytest.approx(area)
    assert hypervolume(np.stack([x, x]), np.stack([y, y]), reference) == pytest.approx([area] * 2)


def test_an_area_is_what_darts_hit():
    random = np.random.default_rng(0)
    x, y = random.random((2, 6))
    darts = random.random((200_000, 2))
    hit = ((darts[:, :1] <= x) & (darts[:, 1:] <= y)).any(axis=1).mean()
    assert hypervolume(x, y) == pytest.approx(hit, abs=0.005)


def test_coverage_is_a_share_of_the_box():
    assert coverage(np.array([1.0]), np.array([1.0]), (0, 0), (1, 1)) == 1.0
    assert coverage(np.array([0.9]), np.array([0.4]), (0.5, 0.3), (0.9, 0.5)) == pytest.approx(0.5)
    assert np.isnan(coverage(np.array([1.0]), np.array([1.0]), (1, 0), (1, 1)))


def test_points_that_another_beats_are_not_on_the_frontier():
    x, y = np.array([1.0, 0.5, 0.5, 0.5, 0.2]), np.array([0.0, 1.0, 1.0, 0.9, 1.0])
    assert unbeaten(x, y).tolist() == [True, True, True, False, False]
    assert dominance(x[:2], y[:2], x[2:], y[2:]) == pytest.approx(2 / 3)


def test_a_curve_that_is_higher_by_a_tenth_is_higher_by_a_tenth():
    x = np.array([0.6, 0.2, 0.4])
    assert height(x, 1 - x + 0.1, np.array([0.1, 0.5]), np.array([0.9, 0.5])) == pytest.approx(0.1)
    assert np.isnan(height(x, x, x + 1, x))


def test_a_family_that_is_better_everywhere_wins_by_every_measure():
    ours = flat([(0.4, 0.8), (0.6, 0.6)])
    found = contest(ours, flat([(0.3, 0.7), (0.5, 0.5)]))
    assert found.hypervolume.ours == pytest.approx(0.4 * 0.8 + 0.2 * 0.6)
    assert found.hypervolume.theirs == pytest.approx(0.3 * 0.7 + 0.2 * 0.5)
    assert (found.dominance.ours, found.dominance.theirs) == (1.0, 0.0)
    assert found.coverage.ours == pytest.approx((0.1 * 0.3 + 0.2 * 0.1) / 0.09)
    assert found.at_equal.difference == pytest.approx(0.2)
    assert found.hypervolume.ahead == found.at_equal.ahead == 1
    assert contest(flat([(0.3, 0.7)]), ours).hypervolume.ahead == -1


def measured(chances: np.ndarray, variety: np.ndarray, random: np.random.Generator) -> Family:
    """Settings [P, G] of which few samples were taken."""
    up = random.binomial(8, chances) / 8
    return Family("f", random.binomial(8, variety) / 8, up)


def world(number: int, shift: float, points: int = 4, questions: int = 60):
    random = np.random.default_rng(number)
    easy = random.beta(0.6, 0.8, questions)
    chances = easy * np.linspace(0.6, 1.0, points)[:, None]
    variety = np.linspace(0.9, 0.3, points)[:, None] * random.beta(5, 2, questions)
    better = np.clip(chances + shift, 0, 1)
    return measured(better, variety, random), measured(chances, variety, random)


def test_a_contest_of_two_copies_has_a_winner_at_most_one_time_in_twenty():
    worlds = 200
    found = [contest(*world(number, 0.0), iterations=300) for number in range(worlds)]
    for measure in ("hypervolume", "coverage", "dominance", "at_equal"):
        won = sum(getattr(each, measure).ahead != 0 for each in found)
        assert won <= 0.05 * worlds, measure


def test_a_family_that_is_clearly_better_is_called_so():
    found = [contest(*world(number, 0.2), iterations=300) for number in range(30)]
    assert sum(each.hypervolume.ahead == 1 for each in found) >= 25


def test_refusals_are_of_other_questions_than_quality():
    random = np.random.default_rng(0)
    ours = Family("f", random.random((2, 30)), random.random((2, 50)))
    theirs = Family("g", random.random((3, 30)), random.random((3, 50)))
    assert contest(ours, theirs, same_questions=False).hypervolume.low < 0
    with pytest.raises(ValueError, match="same_questions"):
        contest(ours, theirs)


def test_unscored_questions_are_left_out_of_a_point():
    ours = flat([(0.4, 0.8)])
    ours.up[0, 3] = np.nan
    assert contest(ours, flat([(0.3, 0.7)])).hypervolume.ours == pytest.approx(0.32)


def test_what_cannot_be_compared_is_refused_by_a_sentence():
    with pytest.raises(ValueError, match="f has 40 and 40 questions, g 39 and 39"):
        contest(flat([(1, 1)]), flat([(1, 1)], 39, "g"))
    with pytest.raises(ValueError, match="no scored question up"):
        Family("f", np.zeros((1, 2)), np.full((1, 2), np.nan))
    with pytest.raises(ValueError, match="expected \\[P, questions\\]"):
        Family("f", np.zeros((2, 2)), np.zeros((1, 2)))
