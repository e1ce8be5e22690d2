"""Similarities of a report are those of hm-diversity, from vectors of a run's own embedder."""

import itertools

import numpy as np
import pytest

from hm_metrics.diversity import question_sums
from hm_metrics.logs.results import find_runs
from hm_metrics.logs.task_log import read
from hm_metrics.report.vectors import Embedded, embed_run, pair_similarities
from tests.metrics.report.made_runs import CODE, code, merge, write_run
from tests.models.endpoints.endpoint import Endpoint, vector_of


def run_of(folder, task):
    write_run(folder, merge(0.7), {CODE: task})
    (run,) = find_runs([folder]).runs
    return run, read(run)


def test_programs_are_embedded_with_the_embedder_of_the_command_line(tmp_path):
    with Endpoint() as server:
        run, log = run_of(tmp_path, code(["+-", "--"]))
        found = embed_run(run, log, "openai:m@8", server.url)
    assert isinstance(found, Embedded)
    assert found.how == "openai:m@8 of each program"
    pair = [vector_of(f"def f(x):\n    return x + 1 + {i}") for i in range(2)]
    assert found.local[1] == pytest.approx(float(pair[0] @ pair[1]), abs=1e-6)


def test_no_endpoint_that_results_name_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-SECRET")
    with Endpoint() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for number, record in enumerate(
            (
                {"embedder": "openai:m@8", "embedder_base_url": server.url},
                {"embedder": "openai:m@8"},
                {"embedding": {"embedder": "openai:m@8", "embedded": "text"}},
                {"embedding": {"embedder": ["openai:m"]}, "embedder_base_url": server.url},
            )
        ):
            run, log = run_of(tmp_path / f"{number}", code(["+-", "--"], **record))
            assert "name an embedder that you trust: --embedder" in embed_run(run, log, None)
        # The address belongs to the embedder of whoever named both.
        run, log = run_of(tmp_path / "mini", code(["+-"], embedder_base_url=server.url))
        assert isinstance(embed_run(run, log, None), Embedded)
        assert not server.requests


def test_no_folder_that_results_name_is_loaded(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "modules.json").write_text('[{"idx": 0, "path": "", "type": "evil.Module"}]')
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    for number, kind in enumerate(("sentence-transformers", "model2vec")):
        record = {"embedder": f"{kind}:{folder}"}
        run, log = run_of(tmp_path / f"{number}", code(["+-", "--"], **record))
        assert "name an embedder that you trust" in embed_run(run, log, None)
    assert not (tmp_path / "ran").exists()


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
