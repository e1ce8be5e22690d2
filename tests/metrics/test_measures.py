"""What the pass@k tasks say of diversity, and that it is unscored where nothing can embed."""

import functools
import json

import numpy as np
import pytest

from hm_metrics.aggregations import UNSCORED
from hm_metrics.definitions import higher_is_better
from hm_metrics.diversity import global_similarity, local_similarity
from hm_metrics.entropy import TokenSums
from hm_metrics.measures import MEASURES, Diversity, DiversityError
from hm_metrics.verdict import FAIL, PASS, Verdict
from hm_models.embedders import UnknownEmbedder, openai
from hm_models.endpoints.client import Endpoint as Client
from tests.models.endpoints.endpoint import Endpoint, status, vector_of
from tests.tasks.code_passk.benchmarks import load


@pytest.fixture(autouse=True)
def quick_client(monkeypatch, tmp_path):
    """No waiting for servers that are down, and a cache of its own."""
    monkeypatch.setattr(
        openai, "Endpoint", functools.partial(Client, first_wait_s=0.01, attempts=2, timeout_s=5)
    )
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))


def settings(url: str | None, **more) -> dict:
    return {
        "diversity": "all",
        "embedder": "openai:m@8",
        "embedder_base_url": url,
        "embed": "program",
    } | more


def right(program: str, behaviour: str) -> Verdict:
    return Verdict(program, PASS, PASS, "", behaviour)


def wrong(program: str, behaviour: str) -> Verdict:
    return Verdict(program, PASS, FAIL, "extra test 1 of 1 failed", behaviour)


QUESTIONS = {
    "one": [
        right("def f(x): return x + x", "twice"),
        right("def f(y): return y + y", "twice"),
        right("def f(x): return 2 * x", "twice"),
        wrong("def f(x): return x", "once"),
    ],
    "two": [wrong("def g(a): return a", "same"), wrong("def g(a): return -a", "minus")],
    "three": [right("def h(): return 1", "one"), Verdict(" \n", FAIL, FAIL, "no program")],
}


def aggregated(diversity: Diversity, questions=QUESTIONS, tokens=()) -> dict:
    rows = [diversity.metrics(name, found, tokens) for name, found in questions.items()]
    return {
        name: aggregate([row[name] for row in rows])
        for name, aggregate in diversity.aggregation().items()
        if name in rows[0]
    }


def measured(url: str, **more) -> tuple[dict, dict]:
    metadata = settings(url, **more)
    diversity = Diversity(metadata)
    diversity.measure({name: [v.program for v in found] for name, found in QUESTIONS.items()})
    return aggregated(diversity), metadata["embedding"]


def test_similarities_are_those_of_the_vectors_of_all_programs():
    with Endpoint() as server:
        results, embedding = measured(server.url)
    usable = [(q, v.program) for q, found in QUESTIONS.items() for v in found if v.program.strip()]
    vectors = np.stack([vector_of(program) for _, program in usable])
    groups = np.array([list(QUESTIONS).index(question) for question, _ in usable])
    assert results["local_similarity"] == pytest.approx(local_similarity(vectors, groups), abs=1e-6)
    assert results["global_similarity"] == pytest.approx(
        global_similarity(vectors, groups), abs=1e-6
    )
    assert results["left_out_questions"] == 1, "question three has one usable sample"
    assert embedding["samples_without_vector"] == 1
    assert (embedding["embedder"], embedding["dimensions"]) == ("openai:m@8", 8)
    assert embedding["embedded"] == "program"


def test_distinct_programs_and_behaviours_are_counted_among_all_and_among_correct_ones():
    with Endpoint() as server:
        results, _ = measured(server.url)
    assert results["distinct_programs"] == pytest.approx((3 + 2 + 1) / 3)
    assert results["distinct_correct_programs"] == pytest.approx((2 + 0 + 1) / 3)
    assert results["distinct_behaviours"] == pytest.approx((2 + 2 + 1) / 3)
    assert results["distinct_correct_behaviours"] == pytest.approx((1 + 0 + 1) / 3)


def test_a_program_whose_function_is_misnamed_is_another_one():
    found = [right("def area(r): return r", "r"), wrong("def square(r): return r", "none")]
    diversity = Diversity(settings(None, diversity=["distinct_programs"]))
    assert diversity.metrics("one", found, entry_point="area") == {"distinct_programs": 2}
    assert diversity.metrics("one", found) == {"distinct_programs": 1}


def test_programs_whose_behaviour_nobody_noted_are_unscored_and_not_none():
    questions = {"one": [Verdict("def f(): pass", PASS, PASS)]}
    results = aggregated(Diversity(settings(None)), questions)
    assert results["distinct_behaviours"] == UNSCORED
    assert results["distinct_correct_behaviours"] == UNSCORED
    assert results["distinct_programs"] == 1


def test_a_server_that_is_down_leaves_the_similarities_unscored_and_the_rest_scored(caplog):
    with Endpoint() as server:
        url = server.url
    results, embedding = measured(url)
    for name in (
        "local_similarity",
        "global_similarity",
        "global_similarity_all_pairs",
        "vendi_score",
    ):
        assert results[name] == UNSCORED
    assert results["left_out_questions"] == 3
    assert results["distinct_programs"] == pytest.approx(2)
    assert "cannot be reached" in embedding["unscored"]
    assert "The similarities are unscored" in caplog.text
    json.dumps(embedding)


def test_a_library_that_breaks_down_does_not_cost_the_run_its_results(monkeypatch):
    def broken(self, texts):
        raise RuntimeError("out of memory")
        yield

    monkeypatch.setattr(openai.OpenAIEmbedder, "encode", broken)
    results, embedding = measured("http://127.0.0.1:9/v1")
    assert results["local_similarity"] == UNSCORED
    assert embedding["unscored"] == "The embedder broke down (RuntimeError: out of memory)."
    assert results["distinct_programs"] == pytest.approx(2)


def test_a_second_run_asks_for_nothing_but_what_the_first_did_not_get(monkeypatch):
    monkeypatch.setattr(openai, "BATCH_TEXTS", 1)
    with Endpoint(faults=lambda number: status(500) if number >= 3 else None) as server:
        results, embedding = measured(server.url)
        assert results["local_similarity"] == UNSCORED
        assert "4 of 7 texts have no vector yet" in embedding["unscored"]
        came = set(server.texts)
        assert len(came) == 3
        server._fault = {}.get
        server.texts.clear()
        results, _ = measured(server.url)
        assert isinstance(results["local_similarity"], float)
        assert len(server.texts) == 4
        assert not came & set(server.texts)


def test_what_is_not_asked_for_costs_nothing_and_is_not_reported():
    with Endpoint() as server:
        metadata = settings(server.url, diversity=["distinct_programs"])
        diversity = Diversity(metadata)
        diversity.measure({name: [v.program for v in found] for name, found in QUESTIONS.items()})
        assert list(aggregated(diversity)) == ["distinct_programs"]
        assert not server.requests
    assert "embedding" not in metadata


def test_token_entropy_is_a_mean_over_tokens_and_absent_where_nobody_noted_it():
    diversity = Diversity(settings(None, diversity=["token_entropy", "token_surprisal"]))
    assert aggregated(diversity) == {}
    rows = [
        diversity.metrics("a", [], [TokenSums(1, 1.0, 2.0, 2.0), TokenSums(1, 1.0, 2.0, 2.0)]),
        diversity.metrics("b", [], [TokenSums(8, 2.0, 8.0, 8.0)]),
    ]
    aggregate = diversity.aggregation()
    assert aggregate["token_entropy"]([row["token_entropy"] for row in rows]) == pytest.approx(1.2)
    assert aggregate["token_surprisal"]([r["token_surprisal"] for r in rows]) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("metadata", "error", "sentence"),
    [
        ({"diversity": ["entropy"]}, DiversityError, "expected all, or a list out of local_sim"),
        ({"diversity": "some"}, DiversityError, "expected all, or a list"),
        ({"diversity": 3}, DiversityError, "expected all, or a list"),
        ({"diversity": [["vendi_score"]]}, DiversityError, "expected all, or a list"),
        ({"embed": "answer"}, DiversityError, "expected program or text"),
        ({"embedder": "gpt"}, UnknownEmbedder, "embedder='gpt' is not known. Known: minilm"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_the_task_is_loaded(metadata, error, sentence):
    with pytest.raises(error, match=sentence):
        load("demo_passk", **metadata)


def test_an_embedder_that_is_missing_is_said_when_the_task_is_loaded_and_ends_nothing(caplog):
    load("demo_passk", embedder="sentence-transformers:no/such-model")
    assert "The similarities will be unscored" in caplog.text


def test_every_measure_has_an_aggregation_a_direction_and_a_standard_error():
    diversity = Diversity(settings(None))
    assert set(diversity.aggregation()) - {"left_out_questions"} == set(MEASURES)
    assert set(higher_is_better(diversity.aggregation())) == set(diversity.aggregation())
    assert all(hasattr(measure.aggregation, "stderr") for measure in MEASURES.values())


@pytest.mark.parametrize("embed", ["program", "text"])
def test_a_task_embeds_what_it_is_told_in_one_step_after_scoring(embed):
    with Endpoint() as server:
        task = load(
            "demo_passk",
            n_samples=2,
            k=[1],
            embedder="openai:m@8",
            embedder_base_url=server.url,
            embed=embed,
        )
        task.build_all_requests(limit=2)
        for request in task.instances:
            request.resps = [f"def f(): return {n}\n# end\n" for n in range(2)]
        task.apply_filters()
        asked = [text for body in server.requests for text in body["input"]]
        assert len(server.requests) == 1
        if embed == "text":
            assert sorted(asked) == [f"def f(): return {n}\n# end\n" for n in range(2)]
        else:
            found = [v["program"] for r in task.instances for v in r.filtered_resps["scored"]]
            assert sorted(asked) == sorted(set(found))
            assert not set(asked) & set(task.instances[0].resps)
        request = task.instances[0]
        values = task.process_results(request.doc, [request.filtered_resps["scored"]])
    assert -1 <= values["local_similarity"] < 1
    assert str(values["global_similarity"]) == "2 vectors"
    assert values["left_out_questions"] == 0
    assert task.dump_config()["metadata"]["embedding"]["embedded"] == embed
