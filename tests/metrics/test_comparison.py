"""Differences: hand-made tables, scipy beside them, and what simulated runs say of the promises."""

import numpy as np
import pytest
from scipy import stats

from hm_metrics.comparison import holm, paired_difference, paired_statistic_difference
from hm_metrics.diversity import QuestionSums, global_over_questions, question_sums, value_of
from hm_metrics.pass_at_k import pass_at_k

RUNS, QUESTIONS, SAMPLES = 1000, 100, 11


def simulated_pair(random, shape, k, kind):
    """pass@k of two models on the same questions."""
    if kind == "alike":
        theirs = random.beta(0.3, 0.8, shape)
        ours = np.clip(theirs + random.normal(0.03, 0.15, shape), 0.0, 1.0)
    else:  # most questions are solved by neither
        theirs = random.beta(0.5, 3.0, shape) * (random.random(shape) < 0.15)
        ours = np.clip(2.0 * theirs, 0.0, 1.0)
    table = np.array([pass_at_k(SAMPLES, c, k) for c in range(SAMPLES + 1)])
    return table[random.binomial(SAMPLES, ours)], table[random.binomial(SAMPLES, theirs)]


@pytest.mark.parametrize(
    ("kind", "k"), [("alike", 1), ("alike", 10), ("sparse", 1)], ids=["pass@1", "pass@10", "sparse"]
)
def test_a_95_percent_interval_of_a_difference_covers_in_93_to_97_percent_of_runs(kind, k):
    random = np.random.default_rng(3)
    ours, theirs = simulated_pair(random, 500_000, k, kind)
    truth = ours.mean() - theirs.mean()
    covered = 0
    for a, b in zip(*simulated_pair(random, (RUNS, QUESTIONS), k, kind), strict=True):
        found = paired_difference(a, b, iterations=2000)
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / RUNS <= 0.97


def test_models_that_are_alike_are_called_different_in_about_5_percent_of_runs():
    random = np.random.default_rng(8)
    chances = random.beta(0.3, 0.8, (RUNS, QUESTIONS))
    ours, theirs = (random.binomial(SAMPLES, chances) / SAMPLES for _ in range(2))
    p_values = np.array(
        [
            paired_difference(a, b, iterations=2000).p_value
            for a, b in zip(ours, theirs, strict=True)
        ]
    )
    assert 0.035 <= np.mean(p_values < 0.05) <= 0.065
    assert 0.46 <= np.mean(p_values < 0.5) <= 0.54


def test_a_table_by_hand():
    ours = np.array([1.0, 1.0, 1.0, 0.0, 1.0, np.nan, 0.5])
    theirs = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, np.nan])
    found = paired_difference(ours, theirs)
    assert found.estimate == pytest.approx(0.6)
    assert found.p_value == pytest.approx(2 / 8)  # three questions differ, all one way
    assert (found.questions, found.left_out) == (5, 2)
    assert found.low < 0.0 < found.estimate < found.high


@pytest.mark.parametrize("seed", range(4))
def test_few_differences_get_scipys_exact_permutation_test(seed):
    random = np.random.default_rng(seed)
    differences = random.normal(0.3, 1.0, 9)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    found = paired_difference(differences, np.zeros(9))
    assert found.p_value == pytest.approx(theirs.pvalue)


def test_many_differences_get_scipys_random_permutation_test():
    differences = np.random.default_rng(0).normal(0.12, 1.0, 200)
    theirs = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=1,
    )
    found = paired_difference(differences, np.zeros(200), iterations=20_000)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.012)
    assert 0.02 < found.p_value < 0.5  # a value that could go wrong


@pytest.mark.parametrize(("won", "lost"), [(7, 1), (10, 3), (25, 10)])
def test_on_yes_or_no_values_it_is_mcnemars_exact_test(won, lost):
    differences = np.concatenate([np.ones(won), -np.ones(lost), np.zeros(60)])
    found = paired_difference(
        np.maximum(differences, 0), np.maximum(-differences, 0), iterations=20_000
    )
    exact = stats.binomtest(won, won + lost).pvalue
    assert found.p_value == pytest.approx(exact, abs=1e-12 if won + lost <= 13 else 0.005)


def test_trading_sides_turns_the_difference_round():
    random = np.random.default_rng(1)
    ours, theirs = random.random(80), random.random(80)
    one, other = paired_difference(ours, theirs), paired_difference(theirs, ours)
    assert one.estimate == -other.estimate
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=2e-3)
    assert one.p_value == pytest.approx(other.p_value)


def test_pairing_sees_what_hard_and_easy_questions_hide():
    random = np.random.default_rng(2)
    theirs = random.choice([0.1, 0.8], 100)
    ours = theirs + 0.05 + random.normal(0.0, 0.05, 100)
    assert paired_difference(ours, theirs).low > 0
    assert paired_difference(random.permutation(ours), theirs).low < 0


def test_no_difference_is_not_proof_that_there_is_none():
    values = np.random.default_rng(3).random(100)
    found = paired_difference(values, values)
    assert (found.estimate, found.p_value) == (0.0, 1.0)
    assert found.low == -found.high
    assert 0.03 < found.high < 0.04  # 0 of 100 questions moved
    assert paired_difference(values, values, largest=0.1).high == pytest.approx(found.high / 10)


def test_without_questions_there_is_no_difference_and_with_one_no_interval():
    nothing = paired_difference(np.array([np.nan, 1.0]), np.array([1.0, np.nan]))
    assert nothing.questions == 0
    assert nothing.left_out == 2
    assert np.isnan([nothing.estimate, nothing.low, nothing.high, nothing.p_value]).all()
    one = paired_difference(np.array([1.0]), np.array([0.0]))
    assert (one.estimate, one.p_value) == (1.0, 1.0)
    assert np.isnan([one.low, one.high]).all()
    with pytest.raises(ValueError, match="same questions"):
        paired_difference(np.zeros(3), np.zeros(4))


def test_holm_by_hand_leaves_unknown_ones_out():
    # sorted: 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 raised to the one before
    assert holm([0.01, 0.04, np.nan, 0.03, 0.005]) == pytest.approx(
        [0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True
    )
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm([0.2, 1.2])


def test_holm_keeps_the_chance_of_any_false_alarm_below_5_percent():
    p_values = np.random.default_rng(0).random((4000, 4))
    alarms = np.mean([min(holm(row)) < 0.05 for row in p_values])
    assert 0.04 <= alarms <= 0.06


def means_of_both(values):
    return lambda weights: weights @ values / weights.sum(axis=1)


def test_for_a_mean_the_general_comparison_agrees_with_the_paired_one():
    random = np.random.default_rng(4)
    theirs = random.random(120)
    ours = np.clip(theirs + random.normal(0.02, 0.1, 120), 0, 1)
    general = paired_statistic_difference(
        means_of_both(np.concatenate([ours, theirs])), 120, iterations=8000
    )
    paired = paired_difference(ours, theirs)
    assert general.estimate == pytest.approx(paired.estimate)
    assert (general.low, general.high) == pytest.approx((paired.low, paired.high), abs=1e-3)
    assert general.p_value == pytest.approx(paired.p_value, abs=0.01)


def circle(random, questions, spread, samples=3):
    """Unit vectors whose questions point in directions that scatter with `spread` around one."""
    angles = np.repeat(random.normal(0.0, spread, questions), samples)
    vectors = np.column_stack([np.cos(angles), np.sin(angles)])
    return question_sums(vectors, np.repeat(np.arange(questions), samples))


def test_intervals_of_global_similarity_cover_its_true_difference():
    random = np.random.default_rng(6)
    truth = np.exp(-(0.8**2)) - np.exp(-(0.6**2))  # E cos of a normal angle, squared
    covered = false_alarms = 0
    runs = 250
    for _ in range(runs):
        theirs = circle(random, 60, 0.6)
        for spread in (0.8, 0.6):
            sums = QuestionSums.joined([circle(random, 60, spread), theirs])
            found = paired_statistic_difference(
                lambda weights, sums=sums: global_over_questions(sums, weights), 60, iterations=400
            )
            if spread == 0.8:
                covered += found.low <= truth <= found.high
            else:
                false_alarms += found.p_value < 0.05
    assert 0.91 <= covered / runs <= 0.985  # 250 runs tell no more
    assert 0.015 <= false_alarms / runs <= 0.09


def test_the_estimate_of_a_statistic_is_the_difference_of_its_values():
    random = np.random.default_rng(7)
    ours, theirs = circle(random, 30, 0.8), circle(random, 30, 0.3)
    sums = QuestionSums.joined([ours, theirs])
    found = paired_statistic_difference(
        lambda weights: global_over_questions(sums, weights), 30, iterations=300
    )
    assert found.estimate == pytest.approx(
        value_of(global_over_questions, ours) - value_of(global_over_questions, theirs)
    )
    assert found.high < 0
    assert found.p_value < 0.05
    nothing = paired_statistic_difference(lambda weights: np.full(len(weights), np.nan), 30)
    assert np.isnan([nothing.estimate, nothing.low, nothing.p_value]).all()
