"""The linear formulas equal the double loop over all pairs."""

import itertools
import math

import numpy as np
import pytest

from hm_metrics.diversity import global_similarity, local_similarity


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_both_similarities_equal_the_double_loop(seed):
    vectors = unit_rows(40, 6, seed)
    groups = np.random.default_rng(seed).integers(0, 9, size=40)
    local: dict[int, list[float]] = {}
    across = []
    for i, j in itertools.combinations(range(40), 2):
        similarity = float(vectors[i] @ vectors[j])
        if groups[i] == groups[j]:
            local.setdefault(int(groups[i]), []).append(similarity)
        else:
            across.append(similarity)
    expected = np.mean([np.mean(values) for values in local.values()])
    assert local_similarity(vectors, groups) == pytest.approx(expected, abs=1e-12)
    assert global_similarity(vectors, groups) == pytest.approx(np.mean(across), abs=1e-12)


def test_equal_samples_are_wholly_similar_and_orthogonal_questions_not_at_all():
    vectors = np.repeat(np.eye(3), 4, axis=0)
    groups = np.repeat([7, 8, 9], 4)
    assert local_similarity(vectors, groups) == pytest.approx(1.0)
    assert global_similarity(vectors, groups) == pytest.approx(0.0)


def test_questions_with_one_sample_do_not_count_for_local_similarity():
    vectors = np.eye(3)[[0, 0, 1]]
    assert local_similarity(vectors, np.array([1, 1, 2])) == pytest.approx(1.0)
    assert math.isnan(local_similarity(np.eye(3), np.arange(3)))
    assert math.isnan(global_similarity(np.eye(3), np.zeros(3, int)))


def test_blocks_change_nothing(monkeypatch):
    vectors, groups = unit_rows(100, 5, 1), np.arange(100) % 7
    whole = local_similarity(vectors, groups), global_similarity(vectors, groups)
    monkeypatch.setattr("hm_metrics.diversity.BLOCK", 9)
    blocks = local_similarity(vectors, groups), global_similarity(vectors, groups)
    assert blocks == pytest.approx(whole, abs=1e-14)


def test_rows_that_are_no_unit_vectors_are_refused():
    with pytest.raises(ValueError, match="unit length"):
        local_similarity(2 * np.eye(2), np.zeros(2, int))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected \[N, d\] and \[N\]"):
        global_similarity(np.eye(2), np.zeros(3, int))
