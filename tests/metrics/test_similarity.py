"""The similarities as metrics of somebody else's task, through the harness as it is used."""

import functools
import json

import lm_eval
import numpy as np
import pytest
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from hm_metrics.diversity import global_similarity, local_similarity
from hm_models.embedders import openai
from hm_models.endpoints.client import Endpoint as Client
from tests.instances import HAS_SCORERS
from tests.models.endpoints.endpoint import Endpoint, vector_of

TASK = """
task: poems
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["."], do_sample: true, temperature: 1.0}}
repeats: 3
{filters}
metric_list:
  - metric: local_similarity
    aggregation: local_similarity
    higher_is_better: false
    embedder: openai:m@8
    embedder_base_url: {url}
  - metric: global_similarity
    {aggregation}
    embedder: openai:m@8
    embedder_base_url: {url}
"""
FILTERS = """
filter_list:
  - name: all
    filter: [{function: take_first_k, k: 3}]
"""


class Poet(LM):
    """Answers the n-th time it is asked something with the n-th verse."""

    def generate_until(self, requests, disable_tqdm=False):
        return [f"{request.args[0]} {number % 4}" for number, request in enumerate(requests)]

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


@pytest.fixture(autouse=True)
def quick_client(monkeypatch, tmp_path):
    monkeypatch.setattr(
        openai, "Endpoint", functools.partial(Client, first_wait_s=0.01, attempts=2, timeout_s=5)
    )
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))


def evaluate(
    folder, url, filters=FILTERS, aggregation="aggregation: global_similarity", **settings
):
    docs = [
        {"question": f"Write {word}", "answer": "-"} for word in ("spring", "rain", "stone", "sea")
    ]
    (folder / "docs.jsonl").write_text("\n".join(map(json.dumps, docs)))
    yaml = TASK.format(
        data=folder / "docs.jsonl", url=url, filters=filters, aggregation=aggregation
    )
    (folder / "poems.yaml").write_text(yaml)
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found = lm_eval.simple_evaluate(Poet(), tasks=["poems"], task_manager=manager, **settings)
    return found["results"]["poems"], found["samples"]["poems"]


def test_a_yaml_with_repeats_gets_both_similarities_with_errors(tmp_path):
    with Endpoint() as server:
        results, samples = evaluate(tmp_path, server.url)
    texts = [text for sample in samples for text in sample["filtered_resps"][0]]
    vectors = np.stack([vector_of(text) for text in texts])
    groups = np.repeat(np.arange(4), 3)
    expected = local_similarity(vectors, groups), global_similarity(vectors, groups)
    assert results["local_similarity,all"] == pytest.approx(expected[0], abs=1e-6)
    assert results["global_similarity,all"] == pytest.approx(expected[1], abs=1e-6)
    assert 0 < results["local_similarity_stderr,all"] < 1
    assert 0 < results["global_similarity_stderr,all"] < 1
    assert max(server.texts.values()) == 1, "a text was embedded twice"
    assert str(samples[0]["local_similarity"]) == "3 samples"


def test_the_default_aggregation_of_the_metric_is_its_own(tmp_path):
    with Endpoint() as server:
        results, _ = evaluate(tmp_path, server.url, aggregation="higher_is_better: false")
    assert isinstance(results["global_similarity,all"], float)


def test_without_bootstrap_there_are_values_and_no_errors(tmp_path):
    with Endpoint() as server:
        results, _ = evaluate(tmp_path, server.url, bootstrap_iters=0)
    assert isinstance(results["global_similarity,all"], float)
    assert results["global_similarity_stderr,all"] == "N/A"


def test_a_task_without_a_filter_list_is_told_that_it_keeps_one_sample_where_it_does(
    tmp_path, caplog
):
    with Endpoint() as server:
        results, _ = evaluate(tmp_path, server.url, filters="")
        if HAS_SCORERS:  # which keep all
            assert 0 < results["local_similarity,none"] < 1
            return
        assert not server.requests
    assert results["local_similarity,none"].startswith("unscored: the task keeps one sample")
    assert "take_first_k" in caplog.text


def test_without_a_server_the_run_ends_well_and_says_why_there_is_no_similarity(tmp_path):
    with Endpoint() as server:
        url = server.url
    results, _ = evaluate(tmp_path, url)
    for name in ("local_similarity", "global_similarity"):
        assert results[f"{name},all"].startswith("unscored: 12 of 12 texts have no vector yet.")
        assert results[f"{name}_stderr,all"] == "N/A"
    lm_eval.utils.make_table({"results": {"poems": results}, "versions": {}, "n-shot": {}})
