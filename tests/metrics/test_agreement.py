"""Agreement of two judges, against known values and scikit-learn's."""

import math

import numpy as np
import pytest

from hm_metrics.agreement import agreement, disputed


def labels(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """Two lists with this confusion table."""
    cells = [(i, j) for i in range(2) for j in range(2) for _ in range(table[i][j])]
    return [i for i, _ in cells], [j for _, j in cells]


def test_kappa_is_that_of_the_textbook_example():
    # 50 proposals, two readers: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no.
    found = agreement(*labels([[15, 10], [5, 20]]))
    assert found.accuracy == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.confusion == ((15, 10), (5, 20))


def random_judges(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    first = (random.random(n) < 0.3).astype(int)
    return first, np.where(random.random(n) < 0.8, first, 1 - first)


def test_kappa_equals_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    for seed in range(5):
        first, second = random_judges(200, seed)
        expected = metrics.cohen_kappa_score(first, second)
        assert agreement(first.tolist(), second.tolist()).kappa == pytest.approx(expected)


def test_the_interval_holds_the_true_kappa_as_often_as_it_says():
    true = agreement(*(half.tolist() for half in random_judges(400_000, 99))).kappa
    found = [agreement(*(h.tolist() for h in random_judges(150, seed))) for seed in range(600)]
    held = np.mean([one.kappa_low <= true <= one.kappa_high for one in found])
    assert 0.92 <= held <= 0.98


def test_full_agreement_is_1_and_opposition_below_0():
    assert agreement([0, 1, 1, 0], [0, 1, 1, 0]).kappa == 1.0
    assert agreement([0, 1, 1, 0], [1, 0, 0, 1]).kappa == -1.0


def test_where_both_always_say_the_same_kappa_is_not_defined():
    found = agreement([0, 0, 0], [0, 0, 0])
    assert found.accuracy == 1.0
    assert math.isnan(found.kappa)
    assert math.isnan(found.kappa_low)


@pytest.mark.parametrize("pair", [([], []), ([0], [0, 1]), ([0], [2])])
def test_what_cannot_be_compared_is_refused(pair):
    with pytest.raises(ValueError, match="labels"):
        agreement(*pair)


def test_the_most_disputed_groups_come_first_by_share_and_agreed_ones_not_at_all():
    first = [0, 0, 0, 1, 1, 1]
    second = [1, 0, 0, 0, 1, 1]
    groups = ["a", "a", "a", "b", "b", "c"]
    assert disputed(first, second, groups) == [("b", 1, 2), ("a", 1, 3)]
