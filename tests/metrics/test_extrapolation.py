"""Extrapolated pass@k: intervals hold the truth of made benchmarks; the script has a thousand of each."""

import numpy as np
import pytest

from hm_metrics.extrapolation import MEAN, SPREAD, extrapolate, pass_at
from hm_metrics.pass_at_k import pass_at_k
from tests.metrics.made_benchmarks import SHAPES, true_pass_at


@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_hold_the_truth_of_a_made_benchmark(shape):
    chances, held, worlds = SHAPES[shape], 0, 8
    truth = true_pass_at(chances, 100)
    for world in range(worlds):
        random = np.random.default_rng(world)
        correct = random.binomial(11, chances(200, random))
        (found,) = extrapolate(correct, np.full(200, 11), [100])
        held += found.low <= truth <= found.high
        assert found.low < found.value < found.high
        assert found.high - found.low < 0.4  # wide is not yet honest
    assert held >= worlds - 2


def test_the_model_is_the_beta_binomial_of_its_formula():
    random = np.random.default_rng(0)
    parameters = np.array([[0.5, -0.3, np.log(0.7), np.log(2.0), np.log(4.0), np.log(1.5)]])
    weights = np.exp([0.0, 0.5, -0.3]) / np.exp([0.0, 0.5, -0.3]).sum()
    kind = random.choice(3, 400_000, p=weights)
    drawn = [
        np.zeros(len(kind)),
        random.beta(0.7, 2.0, len(kind)),
        random.beta(4.0, 1.5, len(kind)),
    ]
    chances = np.choose(kind, drawn)
    for k in (1, 7, 100):
        assert pass_at(parameters, k)[0] == pytest.approx((1 - (1 - chances) ** k).mean(), abs=2e-3)


def test_with_many_samples_a_little_beyond_them_is_what_they_say():
    random = np.random.default_rng(1)
    correct = random.binomial(60, random.beta(0.5, 1.0, 400))
    (found,) = extrapolate(correct, np.full(400, 60), [61])
    measured = np.mean([pass_at_k(60, int(c), 60) for c in correct])
    assert found.value == pytest.approx(measured, abs=0.01)


def test_more_samples_say_more():
    random = np.random.default_rng(2)
    chances = SHAPES["mixed"](200, random)
    few, many = (
        extrapolate(random.binomial(n, chances), np.full(200, n), [200])[0] for n in (5, 100)
    )
    assert many.high - many.low < 0.7 * (few.high - few.low)


def test_pass_at_k_grows_with_k_and_the_interval_with_it():
    counts = np.array([0] * 60 + [1, 1, 2, 3, 5, 8, 11, 11] * 5)
    found = extrapolate(counts, np.full(100, 11), [12, 30, 100])
    values, widths = [e.value for e in found], [e.high - e.low for e in found]
    assert values == sorted(values)
    assert widths == sorted(widths)
    assert [e.k for e in found] == [12, 30, 100]


def test_questions_may_have_different_numbers_of_samples_and_none():
    correct, samples = np.array([0, 3, 0, 7, 2]), np.array([11, 10, 0, 11, 11])
    found = extrapolate(correct, samples, [20])
    assert found == extrapolate(correct[samples > 0], samples[samples > 0], [20])
    assert found == extrapolate(correct, samples, [20], seed=0)


@pytest.mark.parametrize(
    ("correct", "samples", "words"),
    [
        ([1, 2], [5, 5], "k=5 of 5 samples is measured"),
        ([6, 2], [5, 5], "as many correct samples"),
        ([1, 2, 3], [5, 5], "expected \\[questions\\] twice"),
        ([1, 0], [4, 0], "1 questions have a scored sample"),
    ],
)
def test_what_cannot_be_is_refused_by_a_sentence(correct, samples, words):
    with pytest.raises(ValueError, match=words):
        extrapolate(np.array(correct), np.array(samples), [5])


def test_the_prior_alone_says_little():
    random = np.random.default_rng(3)
    drawn = pass_at(MEAN + SPREAD * random.normal(size=(5000, 6)), 100)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert low < 0.3
    assert high > 0.99


@pytest.mark.parametrize("right", [0, 11])
def test_all_alike_gives_an_interval_with_a_width(right):
    (found,) = extrapolate(np.full(50, right), np.full(50, 11), [100])
    assert 0.0 < found.low < found.value < found.high < 1.0
    assert (found.low > 0.85) if right else (found.high < 0.75)
