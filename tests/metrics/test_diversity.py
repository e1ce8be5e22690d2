"""The linear formulas equal the double loop over all pairs."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest

from hm_metrics.diversity import (
    QuestionSums,
    all_pairs_over_questions,
    global_over_questions,
    global_similarity,
    global_similarity_all_pairs,
    local_over_questions,
    local_similarity,
    question_sums,
    standard_error,
    value_of,
)


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


@pytest.mark.parametrize("rows", [2 * np.eye(2), np.full((2, 2), np.nan), np.zeros((2, 2))])
def test_rows_that_are_no_unit_vectors_are_refused(rows):
    with pytest.raises(ValueError, match="unit length"):
        local_similarity(rows, np.zeros(2, int))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected \[N, d\] and \[N\]"):
        global_similarity(np.eye(2), np.zeros(3, int))


@pytest.mark.parametrize("seed", range(3))
def test_all_pairs_is_the_mean_of_the_whole_matrix_as_in_the_authors_notebook(seed):
    vectors = unit_rows(40, 6, seed)
    groups = np.random.default_rng(seed).integers(0, 9, size=40)
    expected = (vectors @ vectors.T).mean()
    assert global_similarity_all_pairs(vectors, groups) == pytest.approx(expected, abs=1e-12)


def test_float32_vectors_of_nearly_equal_samples_lose_nothing():
    """Sums of 100 nearly equal rows: what float32 would leave of the differences is noise."""
    rows = np.eye(8)[0] + 1e-4 * np.random.default_rng(0).normal(size=(300, 8))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    groups = np.repeat([0, 1, 2], 100)
    exact = vectors.astype(np.float64)
    similar = exact @ exact.T
    pairs = [similar[np.ix_(groups == g, groups == g)][np.triu_indices(100, 1)] for g in range(3)]
    assert local_similarity(vectors, groups) == pytest.approx(np.mean(pairs), abs=1e-12)
    across = similar[groups[:, None] != groups[None]].mean()
    assert global_similarity(vectors, groups) == pytest.approx(across, abs=1e-12)


def test_joined_parts_are_different_questions():
    vectors = unit_rows(30, 4, 3)
    groups = np.repeat(np.arange(6), 5)
    parts = [question_sums(vectors[groups == g], np.zeros(5, int)) for g in range(6)]
    joined = QuestionSums.joined(parts)
    assert value_of(global_over_questions, joined) == pytest.approx(
        global_similarity(vectors, groups), abs=1e-14
    )


def test_the_weighted_measures_are_those_of_questions_repeated_without_pairs_of_their_own():
    vectors = unit_rows(24, 5, 8)
    groups = np.repeat(np.arange(6), 4)
    weights = np.array([2, 0, 1, 1, 0, 2])
    drawn = np.repeat(np.arange(6), weights)
    pairs = [
        vectors[i] @ vectors[j]
        for one, other in itertools.permutations(drawn, 2)
        if one != other
        for i in np.flatnonzero(groups == one)
        for j in np.flatnonzero(groups == other)
    ]
    sums = question_sums(vectors, groups)
    found = global_over_questions(sums, weights[None].astype(float))[0]
    assert found == pytest.approx(np.mean(pairs), abs=1e-12)
    local = [local_similarity(vectors[groups == g], groups[groups == g]) for g in drawn]
    found = local_over_questions(sums, weights[None].astype(float))[0]
    assert found == pytest.approx(np.mean(local), abs=1e-12)


def test_memory_grows_with_the_questions_and_not_with_the_square_of_the_samples():
    vectors, groups = unit_rows(20_000, 8, 0).astype(np.float32), np.arange(20_000) % 50
    tracemalloc.start()
    global_similarity(vectors, groups)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 20_000 * 20_000 / 500


@pytest.mark.parametrize(
    "measure", [local_over_questions, global_over_questions, all_pairs_over_questions]
)
def test_the_bootstraps_error_is_about_what_new_questions_would_scatter_by(measure):
    """Questions from one world: the errors from single draws against the scatter of many draws."""
    values, errors = [], []
    for seed in range(150):
        random = np.random.default_rng(seed)
        topics = random.normal(size=(40, 6)) + np.eye(6)[0]
        spread = random.gamma(2, 0.4, size=40)
        rows = np.repeat(topics, 5, axis=0)
        rows = rows + np.repeat(spread, 5)[:, None] * random.normal(size=rows.shape)
        vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        sums = question_sums(vectors, np.repeat(np.arange(40), 5))
        values.append(value_of(measure, sums))
        errors.append(standard_error(measure, sums, 200))
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.2)
