"""The bootstrap's error is the known one where there is one, and repeats itself."""

import numpy as np
import pytest

from hm_metrics import bootstrap
from hm_metrics.bootstrap import bootstrap_error


def mean_of(values):
    return lambda weights: weights @ values / weights.sum(axis=1)


@pytest.mark.parametrize("n", [5, 30, 400])
def test_the_error_of_a_mean_is_its_standard_error(n):
    values = np.random.default_rng(n).exponential(size=n)
    expected = values.std(ddof=1) / np.sqrt(n)
    assert bootstrap_error(mean_of(values), n, 20_000) == pytest.approx(expected, rel=0.03)


def test_a_seed_repeats_itself_and_another_does_not():
    values = np.arange(20.0)
    first = bootstrap_error(mean_of(values), 20, 100)
    assert bootstrap_error(mean_of(values), 20, 100) == first
    assert bootstrap_error(mean_of(values), 20, 100, seed=1) != first


def test_weights_are_draws_of_as_many_questions_in_blocks(monkeypatch):
    monkeypatch.setattr(bootstrap, "CELLS", 70)  # seven rows of ten
    seen = []

    def statistic(weights):
        seen.append(weights)
        return weights[:, 0]

    bootstrap_error(statistic, 10, 100)
    weights = np.concatenate(seen)
    assert weights.shape == (100, 10)
    assert (weights.sum(axis=1) == 10).all()
    assert len(seen) == 15


def test_resamples_without_a_value_are_left_out_and_one_question_has_no_error():
    values = np.array([1.0, 2.0, 4.0])

    def some(weights):
        found = mean_of(values)(weights)
        return np.where(weights[:, 0] > 0, found, np.nan)

    assert np.isfinite(bootstrap_error(some, 3, 200))
    assert np.isnan(bootstrap_error(lambda weights: weights[:, 0] * np.nan, 3, 200))
    assert np.isnan(bootstrap_error(mean_of(values[:1]), 1, 200))
