"""Intervals hold what they promise: known answers, scipy beside them, and simulated runs."""

import numpy as np
import pytest
from scipy import stats

from hm_metrics import intervals
from hm_metrics.intervals import acceleration, bca, interval, mean_interval, resampled_means, unseen
from hm_metrics.pass_at_k import pass_at_k

RUNS, SAMPLES = 1000, 11


def simulated_values(random, shape, k, solvable, a, b):
    """pass@k of questions of which a share can be solved at all, with chances that vary."""
    chances = random.beta(a, b, shape) * (random.random(shape) < solvable)
    table = np.array([pass_at_k(SAMPLES, c, k) for c in range(SAMPLES + 1)])
    return table[random.binomial(SAMPLES, chances)]


def coverage(questions, k, solvable, a, b):
    random = np.random.default_rng(5)
    truth = simulated_values(random, 500_000, k, solvable, a, b).mean()
    runs = simulated_values(random, (RUNS, questions), k, solvable, a, b)
    ends = np.array([mean_interval(run, iterations=2000) for run in runs])
    return np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))


@pytest.mark.parametrize(
    ("questions", "k", "solvable", "a", "b"),
    [
        pytest.param(100, 1, 1.0, 0.3, 0.8, id="pass@1"),
        pytest.param(100, 10, 0.6, 0.3, 0.8, id="pass@10, four in ten unsolvable"),
        pytest.param(100, 10, 0.15, 0.5, 3.0, id="pass@10, most are 0"),
        pytest.param(378, 1, 0.15, 0.5, 3.0, id="pass@1, most are 0"),
    ],
)
def test_a_95_percent_interval_of_a_mean_covers_in_93_to_97_percent_of_runs(
    questions, k, solvable, a, b
):
    assert 0.93 <= coverage(questions, k, solvable, a, b) <= 0.97


def test_with_about_ten_values_that_are_not_0_it_covers_a_little_less():
    """pass@1 of 2 % over 100 questions: the limit that the module's text names."""
    assert 0.91 <= coverage(100, 1, 0.15, 0.5, 3.0) <= 0.97


def test_the_bootstrap_is_scipys_bca_for_many_questions():
    values = np.random.default_rng(0).exponential(size=400)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=1)
    ours = bca(values.mean(), resampled_means(values, 20_000, 1), acceleration(values), 400)
    width = np.diff(theirs.confidence_interval)[0]
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.04 * width)


def test_a_biased_statistic_is_corrected_as_by_scipy():
    """The deviation of 30 skewed values: resamples are too small on average."""
    values = np.random.default_rng(3).exponential(size=30)
    theirs = stats.bootstrap((values,), np.std, n_resamples=20_000, method="BCa", rng=1)
    resampled = theirs.bootstrap_distribution
    jackknife = np.array([np.std(np.delete(values, i)) for i in range(30)])
    estimate = float(np.std(values))
    bias = stats.norm.ppf(np.mean(resampled < estimate))
    assert bias > 0.1
    # The same ends with the wider tails that our interval has.
    tail = np.sqrt(30 / 29) * stats.t.ppf(0.975, 29)
    skew = acceleration(-jackknife)
    ends = bias + np.array([-tail, tail])
    expected = np.quantile(resampled, stats.norm.cdf(bias + ends / (1 - skew * ends)))
    ours = bca(estimate, resampled, skew, 30)
    assert ours == pytest.approx(tuple(expected))
    assert ours[0] < theirs.confidence_interval.low
    assert ours[1] > theirs.confidence_interval.high
    many = bca(estimate, resampled, skew, 10**6)  # so many questions need no wider tails
    assert many == pytest.approx(tuple(theirs.confidence_interval), abs=1e-3)


def test_an_unbounded_interval_is_no_tighter_than_students():
    values = np.random.default_rng(1).exponential(size=30)
    low, high = mean_interval(values, bounds=None)
    theirs = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    assert low <= theirs[0] + 1e-12
    assert high >= theirs[1] - 1e-12
    assert high > theirs[1] + 0.02  # the long tail is on this side


def test_skewed_values_get_a_skewed_interval_within_their_range():
    values = np.zeros(100)
    values[:3] = 1.0
    low, high = mean_interval(values)
    assert 0.0 < low < 0.03 < high < 0.12
    assert high - 0.03 > 1.5 * (0.03 - low)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_hundred_equal_answers_leave_room_for_others(value):
    low, high = mean_interval(np.full(100, value))
    square = stats.t.ppf(0.975, 99) ** 2
    assert high - low == pytest.approx(square / (100 + square))  # Wilson's limit at 0 of 100
    assert value in (low, high)
    assert unseen(100) == pytest.approx(high - low)


def test_the_mirrored_values_have_the_mirrored_interval():
    values = np.random.default_rng(2).beta(0.3, 1.0, 80)
    low, high = mean_interval(values)
    assert mean_interval(1.0 - values) == pytest.approx((1.0 - high, 1.0 - low), abs=2e-3)


def test_unscored_questions_are_left_out_and_one_question_has_no_interval():
    values = np.random.default_rng(3).random(50)
    spoiled = np.concatenate([values, [np.nan, np.nan]])
    assert mean_interval(spoiled) == mean_interval(values)
    assert np.isnan(mean_interval(np.array([0.3, np.nan]))).all()
    assert np.isnan(mean_interval(np.zeros(0))).all()


def test_an_interval_repeats_itself_and_more_confidence_is_wider():
    values = np.random.default_rng(4).random(60)
    assert mean_interval(values) == mean_interval(values)
    narrow, wide = mean_interval(values, 0.8), mean_interval(values, 0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_of_an_error_alone_the_interval_is_normal_or_wilsons():
    assert interval(0.5, 0.1) == pytest.approx((0.5 - 0.196, 0.5 + 0.196), abs=1e-4)
    error = np.sqrt(0.1 * 0.9 / 50)  # 5 of 50
    wilson = stats.binomtest(5, 50).proportion_ci(method="wilson")
    assert interval(0.1, error, bounds=(0.0, 1.0)) == pytest.approx((wilson.low, wilson.high))
    assert np.isnan(interval(0.5, np.nan)).all()
    assert interval(0.5, 0.0) == (0.5, 0.5)


def test_more_resamples_than_are_kept_come_in_blocks(monkeypatch):
    monkeypatch.setattr(intervals, "KEPT_CELLS", 10)
    monkeypatch.setattr(intervals, "CELLS", 100)
    blocks = list(intervals.resamples(20, 32, seed=0))
    assert [len(block) for block in blocks] == [5, 5, 5, 5, 5, 5, 2]
    assert (np.concatenate(blocks).sum(axis=1) == 20).all()


def test_values_outside_their_bounds_and_odd_confidences_are_refused():
    with pytest.raises(ValueError, match="outside the bounds"):
        mean_interval(np.array([0.2, 1.4]))
    with pytest.raises(ValueError, match=r"\[G\]"):
        mean_interval(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval(np.array([0.2, 0.4]), confidence=95)
