"""The determinant lemma against dense determinants and autograd; what steps do to entropy."""

import numpy as np
import pytest
import torch

from hm_metrics import entropy_volume as module
from hm_metrics.entropy_volume import entropy_volume

SEEDS = range(25)


def random_logits(seed: int, positions: int = 6) -> np.ndarray:
    random = np.random.default_rng(seed)
    vocabulary = int(random.integers(10, 60))
    return random.normal(size=(positions, vocabulary)) * random.uniform(0.05, 8)


def softmax(logits: np.ndarray) -> np.ndarray:
    q = np.exp(logits - logits.max())
    return q / q.sum()


def hessian(q: np.ndarray, y: int) -> np.ndarray:
    v = q - np.eye(len(q))[y]
    return np.diag(v) - np.outer(v, q) - np.outer(q, v)


def entropy(p: np.ndarray) -> float:
    return float(-(p * np.log(p)).sum())


@pytest.mark.parametrize("lr", [1e-3, 0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_lemma_gives_the_dense_determinant(seed, lr):
    logits = random_logits(seed)
    found = entropy_volume(logits, lr)
    for position, row in enumerate(logits):
        q = softmax(row)
        order = np.argsort(-q)[:10]
        assert np.array_equal(found.token[position], order)
        assert found.probability[position] == pytest.approx(q[order], abs=1e-15)
        assert found.entropy[position] == pytest.approx(entropy(q), abs=1e-12)
        for rank, y in enumerate(order):
            dense = np.linalg.slogdet(np.eye(len(q)) - lr * hessian(q, y))[1]
            assert found.log_volume[position, rank] == pytest.approx(dense, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_matrix_is_autograds_jacobian_of_one_sgd_step_on_the_logits(seed):
    logits = torch.tensor(random_logits(seed, 1)[0])
    y, lr = int(logits.argsort(descending=True)[seed % 10]), 0.3
    old = torch.softmax(logits, 0)[y]

    def step(z: torch.Tensor) -> torch.Tensor:
        loss = -torch.softmax(z, 0)[y] / old  # the sampled token's policy gradient
        (gradient,) = torch.autograd.grad(loss, z, create_graph=True)
        return z - lr * gradient

    z = logits.clone().requires_grad_()
    q = torch.softmax(logits, 0)
    moved = step(z).detach()
    assert torch.allclose(moved, logits - lr * (q - torch.eye(len(q), dtype=q.dtype)[y]))
    jacobian = torch.autograd.functional.jacobian(step, logits)
    ours = np.eye(len(q)) - lr * hessian(q.numpy(), y)
    assert jacobian.numpy() == pytest.approx(ours, abs=1e-12)
    rank = seed % 10
    found = entropy_volume(logits.numpy()[None], lr).log_volume[0, rank]
    assert found == pytest.approx(float(torch.linalg.slogdet(jacobian)[1]), abs=1e-9)


def test_the_cross_entropy_has_the_same_gradient_and_another_hessian():
    logits = torch.tensor(random_logits(0, 1)[0])
    loss = torch.nn.CrossEntropyLoss()
    own = torch.autograd.functional.hessian(lambda z: loss(z[None], torch.tensor([2])), logits)
    q = torch.softmax(logits, 0).numpy()
    assert own.numpy() == pytest.approx(np.diag(q) - np.outer(q, q), abs=1e-12)
    assert np.abs(own.numpy() - hessian(q, 2)).max() > 0.01


@pytest.mark.parametrize("seed", range(5))
def test_a_cloud_of_logits_changes_its_differential_entropy_by_the_log_volume(seed):
    """A narrow Gaussian stays one; its entropy is half the log-determinant of its covariance."""
    random = np.random.default_rng(seed)
    logits, lr, y, width = random.normal(size=10) * 2, 0.8, int(seed), 1e-4
    cloud = logits + width * random.normal(size=(400_000, 10))
    q = np.exp(cloud - cloud.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    old = softmax(logits)[y]
    gradient = (q[:, [y]] / old) * (q - np.eye(10)[y])
    moved = cloud - lr * gradient
    change = (np.linalg.slogdet(np.cov(moved.T))[1] - np.linalg.slogdet(np.cov(cloud.T))[1]) / 2
    rank = int(np.flatnonzero(np.argsort(-softmax(logits)) == y)[0])
    assert change == pytest.approx(entropy_volume(logits[None], lr).log_volume[0, rank], abs=5e-3)


@pytest.mark.parametrize("lr", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_step_on_the_most_probable_token_never_adds_volume(seed, lr):
    assert (entropy_volume(random_logits(seed, 40), lr).log_volume[:, 0] <= 1e-12).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_step_takes_volume_from_targets_above_the_collision_probability(seed):
    """log|det(I - lr H)| = -lr tr H + O(lr^2), and tr H = 2 (q_y - sum of q^2)."""
    logits, lr = random_logits(seed, 40), 1e-4
    found = entropy_volume(logits, lr)
    collision = np.array([(softmax(row) ** 2).sum() for row in logits])[:, None]
    assert found.log_volume == pytest.approx(
        2 * lr * (collision - found.probability), abs=20 * lr**2
    )


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_mixture_of_two_models_has_at_least_their_mean_entropy(seed, alpha):
    """And exceeds it by at most the entropy of the choice between them."""
    base, instruct = (softmax(row) for row in random_logits(seed, 2))
    mixed = entropy(alpha * instruct + (1 - alpha) * base)
    mean = alpha * entropy(instruct) + (1 - alpha) * entropy(base)
    assert mean - 1e-12 <= mixed <= mean + entropy(np.array([alpha, 1 - alpha])) + 1e-12


def test_a_vocabulary_of_real_size_with_certain_and_impossible_tokens_stays_finite():
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, 50_000)) * 3
    logits[0, 7] = 1e4  # certain
    logits[1, :40_000] = -np.inf
    found = entropy_volume(logits, 0.5)
    assert np.isfinite(found.log_volume).all()
    assert found.entropy[0] == 0
    # q = y leaves nothing to learn: v = 0, so the step moves nothing.
    assert found.log_volume[0, 0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("lr", [1.0, 2.0])
def test_a_diagonal_that_vanishes_costs_no_more_than_a_few_digits(lr):
    q = np.array([1 / lr, *np.full(11, (1 - 1 / lr) / 11)])
    with np.errstate(divide="ignore"):
        found = entropy_volume(np.log(q)[None], lr)
    for rank, y in enumerate(found.token[0]):
        dense = np.linalg.slogdet(np.eye(12) - lr * hessian(q, y))[1]
        assert found.log_volume[0, rank] == pytest.approx(dense, abs=1e-6)


def test_blocks_change_nothing(monkeypatch):
    logits = random_logits(3, 20)
    whole = entropy_volume(logits, 0.2)
    monkeypatch.setattr(module, "CELLS", 3 * logits.shape[1])
    assert np.array_equal(entropy_volume(logits, 0.2).log_volume, whole.log_volume)
    assert entropy_volume(logits[:0], 0.2).log_volume.shape == (0, 10)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="step size above 0"):
        entropy_volume(np.zeros((1, 20)), 0.0)
    with pytest.raises(ValueError, match="at least 10 ranks"):
        entropy_volume(np.zeros((1, 5)), 0.1)
