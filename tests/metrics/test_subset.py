"""Subsets by vectors: the greedy choice is the best one at each step, classes come first."""

import numpy as np
import pytest

from hm_metrics.subset import facility_location, farthest_point


def unit(rng, n: int, d: int = 5) -> np.ndarray:
    rows = rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def rows() -> np.ndarray:
    return unit(np.random.default_rng(0), 30)


def test_each_farthest_point_has_the_least_greatest_similarity(rows):
    taken = farthest_point(rows, 8)
    assert taken[0] == 0
    for step in range(1, 8):
        nearest = (rows @ rows[taken[:step]].T).max(axis=1)
        nearest[taken[:step]] = 2
        assert nearest[taken[step]] == pytest.approx(nearest.min(), abs=1e-5)


def test_the_first_of_them_is_least_like_what_was_seen(rows):
    assert farthest_point(rows, 1, seen=rows[:7].sum(axis=0)) == [
        int((rows @ rows[:7].sum(axis=0)).argmin())
    ]


def test_each_facility_adds_most_to_the_sum_of_greatest_similarities(rows):
    def worth(some: list[int]) -> float:
        return float((rows @ rows[some].T).max(axis=1).sum())

    taken = facility_location(rows, 6)
    for step in range(1, 6):
        best = max(worth([*taken[:step], row]) for row in range(30) if row not in taken[:step])
        assert worth(taken[: step + 1]) == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("way", [farthest_point, facility_location])
def test_no_class_is_taken_again_before_all_others_were(rows, way):
    classes = np.array([0] * 25 + [5] * 3 + [9] * 2)
    of = [int(classes[row]) for row in way(rows, 12, classes)]
    assert all(sorted(of[start : start + 3]) == [0, 5, 9] for start in (0, 3))
    assert sorted(of[6:8]) == [0, 5]
    assert set(of[8:]) == {0}


@pytest.mark.parametrize("way", [farthest_point, facility_location])
def test_all_rows_come_once_where_too_many_are_asked_for_and_none_of_none(rows, way):
    assert sorted(way(rows, 99)) == list(range(30))
    assert way(rows[:0], 3) == []


@pytest.mark.parametrize("way", [farthest_point, facility_location])
def test_what_differs_by_rounding_alone_is_a_tie_and_goes_to_the_first(way):
    same = np.repeat(unit(np.random.default_rng(1), 1), 6, axis=0)
    noise = np.random.default_rng(2).uniform(-1e-7, 1e-7, same.shape).astype(np.float32)
    assert way(same + noise, 6) == way(same, 6) == list(range(6))
