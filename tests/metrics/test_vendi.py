"""The Vendi score counts: n of n different samples, 1 of equal ones."""

import numpy as np
import pytest

from hm_metrics.vendi import vendi_score


def test_equal_samples_count_as_one_and_orthogonal_ones_each():
    assert vendi_score(np.repeat(np.eye(5)[:1], 7, axis=0)) == pytest.approx(1.0)
    assert vendi_score(np.eye(5)) == pytest.approx(5.0)
    assert vendi_score(np.eye(5)[[0, 0, 1, 1]]) == pytest.approx(2.0)


def test_two_samples_have_the_score_of_their_cosine():
    cosine = 0.6
    vectors = np.array([[1.0, 0.0], [cosine, np.sqrt(1 - cosine**2)]])
    shares = np.array([1 + cosine, 1 - cosine]) / 2
    expected = np.exp(-(shares * np.log(shares)).sum())
    assert vendi_score(vectors) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [4, 10, 60])
def test_the_smaller_of_the_two_products_gives_the_kernels_score(n):
    rows = np.random.default_rng(n).normal(size=(n, 10))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(rows @ rows.T / n)
    values = values[values > 1e-12]
    expected = np.exp(-(values * np.log(values)).sum())
    assert vendi_score(rows) == pytest.approx(expected, rel=1e-9)


def test_no_vectors_are_refused():
    with pytest.raises(ValueError, match="no vectors"):
        vendi_score(np.zeros((0, 3)))
