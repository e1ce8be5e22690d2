"""Entropies from logits are exact; those from the largest log-probabilities lie within bounds."""

import numpy as np
import pytest
import torch

from hm_metrics.entropy import TokenSums, entropy_bounds


def log_probabilities(n: int, vocabulary: int, seed: int, sharpness: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(n, vocabulary)) * sharpness
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def entropies(log_p: np.ndarray) -> np.ndarray:
    return -(np.exp(log_p) * log_p).sum(axis=1)


def largest(log_p: np.ndarray, k: int) -> np.ndarray:
    return -np.sort(-log_p, axis=1)[:, :k]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sums_from_logits_are_those_of_the_formula_in_float64(dtype):
    logits = torch.randn(50, 1000, generator=torch.Generator().manual_seed(0)).to(dtype) * 3
    ids = torch.randint(0, 1000, (50,), generator=torch.Generator().manual_seed(1))
    log_p = torch.log_softmax(logits.double(), dim=-1).numpy()
    found = TokenSums.of_logits(logits, ids)
    assert found.tokens == 50
    assert found.entropy_low == found.entropy_high
    assert found.entropy == pytest.approx(entropies(log_p).sum(), rel=1e-6)
    assert found.surprisal == pytest.approx(-log_p[np.arange(50), ids].sum(), rel=1e-6)


def test_tokens_that_cannot_be_cost_no_nan():
    logits = torch.tensor([[0.0, 0.0, -torch.inf], [100.0, -1000.0, -torch.inf]])
    found = TokenSums.of_logits(logits, torch.tensor([0, 0]))
    assert found.entropy == pytest.approx(np.log(2), abs=1e-6)
    assert found.surprisal == pytest.approx(np.log(2), abs=1e-6)


def test_the_whole_models_entropy_is_the_mean_surprisal_of_its_own_samples():
    """Which is what ties the two measures together: E[-log p(x)] = H where x is drawn from p itself."""
    log_p = log_probabilities(1, 30, 4)[0]
    random = np.random.default_rng(0)
    drawn = random.choice(30, size=200_000, p=np.exp(log_p))
    assert -log_p[drawn].mean() == pytest.approx(entropies(log_p[None])[0], abs=0.01)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("k", [1, 3, 20, 199, 200])
def test_the_true_entropy_is_always_between_the_bounds(seed, k):
    random = np.random.default_rng(seed)
    log_p = log_probabilities(40, 200, seed, sharpness=random.uniform(0, 6))
    low, high = entropy_bounds(largest(log_p, k), 200)
    true = entropies(log_p)
    assert (low <= true + 1e-9).all()
    assert (true <= high + 1e-9).all()
    if k >= 199:
        assert np.allclose(low, high, atol=1e-9)


def test_the_bounds_are_reached_by_the_rests_that_they_stand_for():
    k, vocabulary = 2, 10
    p = np.array([0.4, 0.2])
    spread = np.full(8, 0.4 / 8)
    _, high = entropy_bounds(np.log(p)[None], vocabulary)
    assert high[0] == pytest.approx(entropies(np.log(np.r_[p, spread])[None])[0], abs=1e-12)
    low, _ = entropy_bounds(np.log(p)[None], vocabulary)
    crowded = np.r_[p, 0.2, 0.2]
    assert low[0] == pytest.approx(entropies(np.log(crowded)[None])[0], abs=1e-12)
    assert k == 2


def test_rounding_to_float32_and_missing_mass_below_it_do_no_harm():
    log_p = np.log(np.array([[1.0, 1e-30, 1e-38]])).astype(np.float32)
    low, high = entropy_bounds(log_p[:, :2], 50_000)
    assert 0 <= low[0] <= high[0] < 1e-5
    low, high = entropy_bounds(np.array([[0.0, -np.inf]]), 50_000)
    assert low[0] == high[0] == 0


def test_more_log_probabilities_than_tokens_are_refused():
    with pytest.raises(ValueError, match="5 log-probabilities of 4 tokens"):
        entropy_bounds(np.zeros((1, 5)), 4)


def test_sums_add_up():
    parts = [TokenSums(2, 1.0, 0.5, 0.7), TokenSums(3, 2.0, 1.5, 1.7)]
    total = TokenSums.total(parts)
    assert total.tokens == 5
    assert total.surprisal == 3.0
    assert total.entropy == pytest.approx((2.0 + 2.4) / 2)
    assert TokenSums.total([]) == TokenSums(0, 0.0, 0.0, 0.0)
