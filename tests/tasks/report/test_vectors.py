"""Similarities of a report are those of hm-diversity, from vectors of a run's own embedder."""

import itertools

import numpy as np
import pytest

from hm_metrics.diversity import question_sums
from hm_tasks.report.logs import read
from hm_tasks.report.results import find_runs
from hm_tasks.report.vectors import Embedded, embed_run, how_embedded, pair_similarities
from tests.metrics.endpoint import Endpoint, vector_of
from tests.tasks.report.made_runs import CODE, code, merge, write_run


def run_of(folder, task):
    write_run(folder, merge(0.7), {CODE: task})
    (run,) = find_runs([folder]).runs
    return run, read(run)


def test_programs_are_embedded_with_the_embedder_that_the_results_name(tmp_path):
    with Endpoint() as server:
        record = {"embedder": "openai:m@8", "embedder_base_url": server.url}
        run, log = run_of(tmp_path, code(["+-", "--"], **record))
        assert how_embedded(run, None) == ("openai:m@8", "program")
        found = embed_run(run, log, None)
    assert isinstance(found, Embedded)
    pair = [vector_of(f"def f(x):\n    return x + 1 + {i}") for i in range(2)]
    assert found.local[1] == pytest.approx(float(pair[0] @ pair[1]), abs=1e-6)


def test_an_embedder_that_cannot_be_had_is_a_sentence(tmp_path):
    run, log = run_of(tmp_path, code(["+-"]))
    for name in ("none", "nonsense", "sentence-transformers:/nowhere/at/all"):
        assert isinstance(embed_run(run, log, name), str)


def test_pairs_of_questions_have_the_mean_of_all_their_samples():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(12, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = np.repeat(np.arange(4), 3)
    expected = [
        np.mean(vectors[groups == i] @ vectors[groups == j].T)
        for i, j in itertools.combinations(range(4), 2)
    ]
    np.testing.assert_allclose(pair_similarities(question_sums(vectors, groups)), expected)


def test_many_pairs_are_a_seeded_draw_without_a_question_with_itself():
    vectors = np.eye(50)  # any pair of two is 0, one with itself 1
    sums = question_sums(vectors, np.arange(50))
    found = pair_similarities(sums, pairs=300)
    assert len(found) == 300
    assert np.all(found == 0)
    random = np.random.default_rng(1).normal(size=(50, 8))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    sums = question_sums(random, np.arange(50))
    np.testing.assert_array_equal(pair_similarities(sums, 3, 300), pair_similarities(sums, 3, 300))
    assert not np.array_equal(pair_similarities(sums, 3, 300), pair_similarities(sums, 4, 300))
