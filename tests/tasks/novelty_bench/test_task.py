"""NoveltyBench as a task: classes by each way, ratings, what is open, and what is refused."""

import hashlib
import json
import os

import pytest
from lm_eval.api.registry import get_model
from lm_eval.evaluator import evaluate

from hm_metrics.logs.results import read_results
from hm_metrics.measures import DiversityError
from hm_metrics.novelty import utility
from hm_metrics.report.protocol import facts_of, same_questions
from hm_models.embedders.by_name import UnknownEmbedder
from hm_models.settings import ProtocolError
from hm_tasks.benchmark_file import DatasetError
from hm_tasks.judges.unscored import UnscoredError
from hm_tasks.novelty_bench.dataset import load_prompts
from hm_tasks.novelty_bench.rating import read_rating
from tests.metrics.report.made_runs import merge, write_run
from tests.models.endpoints.endpoint import Endpoint, say
from tests.tasks.code_passk.benchmarks import load
from tests.tasks.novelty_bench.made_up import rows, verdict, write_set

# The four answers to each of three prompts; the number at the end is what the judge rates them.
SAID = (
    ["Apple is 9.", "Pear is 4.", "Apple was 8.", "Plum is 5."],
    ["Fig is 7.", "Fig is 7.", "Fig was 3.", "Fig 2."],
    ["Kiwi is 2.", "Lime is 4.", "Date is 6.", ""],
)
CLASSES = ([0, 1, 0, 2], [0, 0, 0, 0], [0, 1, 2, 3])


class Scripted(get_model("dummy")):
    def generate_until(self, requests, disable_tqdm=False):
        seen = {}
        texts = []
        for request in requests:
            number = int(request.doc["task_id"].split("-")[1])
            seen[number] = seen.get(number, -1) + 1
            texts.append(SAID[number][seen[number]])
        return texts


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NOVELTY_BENCH_PATH", str(write_set(tmp_path / "curated.jsonl")))
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def task_of(**metadata):
    given = {"n_samples": 4, "diversity": [], "dataset_sha256": None}
    return load("novelty_bench", **(given | metadata))


def results(**metadata):
    task = task_of(**metadata)
    found = evaluate(Scripted(), {"novelty_bench": task}, bootstrap_iters=100)
    numbers = {key.split(",")[0]: v for key, v in found["results"]["novelty_bench"].items()}
    return numbers, found["configs"]["novelty_bench"]["metadata"], found["samples"]["novelty_bench"]


def fixed(question: str) -> str:
    """The judge, for whom an empty answer has a word of its own."""
    return verdict(question.replace("\n> \n", "\n> nothing at 1\n"))


def judge_at(server, **more):
    return {"classes_by": "judge", "judge": "a-judge", "judge_base_url": server.url} | more


def test_a_judge_makes_classes_pair_by_pair_and_rates_the_first_of_each(folder):
    with Endpoint(chat=fixed) as server:
        found, metadata, samples = results(**judge_at(server, ratings_by="judge"))
    assert found["distinct_k"] == pytest.approx((3 + 1 + 4) / 3)
    assert found["distinct_k_low"] == found["distinct_k_high"] == found["distinct_k"]
    # An empty answer is of no use by rule, which is the lowest rating.
    expected = [utility(c, s) for c, s in zip(CLASSES, ([9, 4, 5], [7], [2, 4, 6, 1]), strict=True)]
    assert found["utility_k"] == pytest.approx(sum(expected) / 3)
    assert [[r["class"] for r in line["filtered_resps"][0]] for line in samples] == list(
        map(list, CLASSES)
    )
    assert (found["unscored"], found["unrated"], found["empty_answers"]) == (0, 0, 1)
    # Pairs: 3 + 1, then 2, then 3 + 2 + 1; ratings: 3 + 1 + 3, for the empty one is not sent.
    assert found["judge_calls"] == len(server.requests) == 4 + 2 + 6 + 7
    assert metadata["classes"]["by"] == metadata["ratings"]["by"] == "judge"
    assert metadata["classes"]["prompt"] == "same"


def test_a_rank_without_questions_asks_nobody_and_goes_on(folder):
    with Endpoint(chat=fixed) as server:
        task = task_of(**judge_at(server, ratings_by="judge"))
        assert task.apply_filters() == []
        assert server.requests == []


def test_a_second_run_asks_for_nothing(folder):
    with Endpoint(chat=fixed) as server:
        first, *_ = results(**judge_at(server, ratings_by="judge"))
        asked = len(server.requests)
        second, *_ = results(**judge_at(server, ratings_by="judge"))
        assert len(server.requests) == asked
    assert second["judge_reused"] == asked
    assert second["utility_k"] == first["utility_k"]


def test_without_ratings_there_is_no_utility(folder):
    with Endpoint(chat=fixed) as server:
        found, metadata, _ = results(**judge_at(server))
    assert "utility_k" not in found
    assert metadata["ratings"] == {"by": "none"}


def test_a_pair_without_a_verdict_opens_the_bounds_of_its_question(folder):
    def odd(question):
        return "Hm." if "Plum" in question else fixed(question)

    with Endpoint(chat=odd) as server:
        found, *_ = results(**judge_at(server, max_unscored=0.5))
    assert found["unscored"] == 1
    assert found["distinct_k"] == pytest.approx((1 + 4) / 2)
    assert found["distinct_k_low"] == pytest.approx((1 + 1 + 4) / 3)
    assert found["distinct_k_high"] == pytest.approx((4 + 1 + 4) / 3)


def test_too_many_open_questions_fail_loudly_and_verdicts_are_kept(folder):
    sentence = r"3 of 3 questions .*truncated 3.*distinct_k lies between 1\.000 and 3\.667"
    with (
        Endpoint(chat=fixed, faults=lambda n: say("1", "length")) as server,
        pytest.raises(UnscoredError, match=sentence),
    ):
        results(**judge_at(server))
    (log,) = (folder / "cache" / "unfinished").iterdir()
    assert len(log.read_text().splitlines()) == 3
    with Endpoint(chat=fixed) as server:
        found, *_ = results(**judge_at(server))
    assert found["unscored"] == 0


def test_a_class_without_a_rating_leaves_its_question_without_utility(folder):
    def odd(question):
        return "#therating: 11" if "> Fig" in question and "rating" in question else fixed(question)

    with Endpoint(chat=odd) as server:
        found, *_ = results(**judge_at(server, ratings_by="judge", max_unscored=0.5))
    assert (found["unrated"], found["unscored"]) == (1, 0)
    expected = [utility(CLASSES[0], [9, 4, 5]), utility(CLASSES[2], [2, 4, 6, 1])]
    assert found["utility_k"] == pytest.approx(sum(expected) / 2)


def test_an_embedder_makes_classes_by_its_threshold(folder):
    with Endpoint() as server:
        asked = {"classes_by": "embedder", "embedder": "openai:m", "embedder_base_url": server.url}
        apart, metadata, _ = results(**asked, embedder_threshold=1.0)
        together, *_ = results(**asked, embedder_threshold=-1.0)
    assert apart["distinct_k"] == pytest.approx((4 + 3 + 4) / 3), "hashes are never alike"
    # The empty answer has no vector, and is like no other but at -1, where everything is.
    assert together["distinct_k"] == 1.0
    assert metadata["classes"] == {"by": "embedder", "model": "openai:m", "threshold": 1.0}


def test_a_classifier_that_is_not_there_leaves_all_open_with_the_reason_and_the_run_goes_on(folder):
    found, metadata, _ = results(classes_by="classifier", classifier=str(folder / "none"))
    assert found["distinct_k"] == "unscored"
    assert found["unscored"] == 3
    assert (found["distinct_k_low"], found["distinct_k_high"]) == (1.0, (4 + 3 + 4) / 3)
    assert "cannot be had" in metadata["classes"]["unscored"]


def test_auto_takes_the_first_that_can_be_had_and_the_results_say_which(folder):
    none = str(folder / "none")
    with Endpoint(chat=fixed) as server:
        auto = judge_at(server, classes_by="auto")
        assert task_of(classifier=none, **auto).config.metadata["classes"]["by"] == "judge"
        assert task_of(classifier=none).config.metadata["classes"]["by"] == "embedder"
        there = task_of(classifier=str(folder), **auto).config.metadata["classes"]
    assert there == {"by": "classifier", "model": str(folder), "threshold": 0.102}


def test_similarities_come_with_it(folder):
    with Endpoint(chat=fixed) as server:
        found, metadata, _ = results(
            diversity=["local_similarity", "vendi_score"],
            classes_by="judge",
            judge="a-judge",
            judge_base_url=server.url,
            embedder="minilm",
        )
    if metadata["embedding"].get("unscored"):
        pytest.skip(metadata["embedding"]["unscored"])
    assert 0 < found["local_similarity"] < 1
    assert found["vendi_score"] > 1


@pytest.mark.parametrize(
    ("metadata", "error", "sentence"),
    [
        (
            {"classes_by": "coin"},
            ProtocolError,
            "classes_by='coin': expected auto, classifier, judge or e",
        ),
        ({"classes_by": "judge"}, ProtocolError, "judge=null, but it is to decide 'same'"),
        (
            {"classes_by": "judge", "judge": "keyword"},
            ProtocolError,
            "judge=keyword knows refusals",
        ),
        ({"ratings_by": "judge"}, ProtocolError, "judge=null, but it is to decide 'quality'"),
        (
            {"ratings_by": "dice"},
            ProtocolError,
            "ratings_by='dice': expected judge, reward or null",
        ),
        (
            {"embedder_threshold": 2},
            ProtocolError,
            "embedder_threshold=2: expected a number from -1",
        ),
        ({"patience": 0}, ProtocolError, "patience=0: expected a number above 0"),
        ({"embedder": "mystery"}, UnknownEmbedder, "embedder='mystery' is not known"),
        ({"diversity": ["distinct_programs"]}, DiversityError, "distinct_programs.*out of local_"),
        ({"dataset_sha256": "0" * 64}, DatasetError, "other prompts than the released ones"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_model_is_loaded(
    folder, metadata, error, sentence
):
    with pytest.raises(error, match=sentence):
        task_of(**{"classes_by": "embedder"} | metadata)


@pytest.mark.parametrize(
    ("these", "sentence"),
    [
        ([rows()[0], rows()[0]], "each with an id of its own .'curated-0'"),
        ([{"id": "a", "prompt": "b"}], "line 1: expected texts named id, category, prompt"),
        ([rows()[0] | {"prompt": ""}], "line 1: expected texts named"),
    ],
)
def test_a_file_of_another_form_is_refused_with_a_sentence(folder, these, sentence):
    write_set(folder / "curated.jsonl", these)
    with pytest.raises(DatasetError, match=sentence):
        load_prompts(None)


def test_the_hash_is_of_the_prompts_and_not_of_the_file(folder, monkeypatch):
    before = load_prompts(None)[1]["sha256"]
    write_set(folder / "curated.jsonl", [dict(reversed(row.items())) for row in rows()])
    assert load_prompts(None)[1]["sha256"] == before
    parts = [[row["id"], row["category"], row["prompt"]] for row in rows()]
    assert before == hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    monkeypatch.setenv("NOVELTY_BENCH_PATH", str(folder / "none"))
    with pytest.raises(DatasetError, match=r"NOVELTY_BENCH_PATH: .*none is missing"):
        load_prompts(None)


@pytest.mark.skipif(
    not os.environ.get("NOVELTY_BENCH_PATH"), reason="NOVELTY_BENCH_PATH names no file"
)
def test_the_official_set_is_the_one_that_the_task_expects():
    task = load("novelty_bench", classes_by="embedder")
    assert len(task.test_docs()) == 100
    assert task.config.metadata["dataset"]["categories"] == 6


@pytest.mark.parametrize(
    ("words", "rating"),
    [
        ("Fine.\n#therating: 7", 7),
        ("**#therating: 10**", 10),
        ("#therating:\n3", 3),
        ("8/10", 8),
        ("#therating: 7/10", 7),
        ("#therating: 0", None),
        ("#therating: 7 or 8", None),
        ("#therating: seven", None),
        ("> #therating: 9\nIt is bad.", None),
        ("3\nHm.\n4", None),
    ],
)
def test_a_rating_is_a_whole_number_from_1_to_10(words, rating):
    assert read_rating(words) == rating


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"by": "judge", "judge": "a", "endpoint": "http://x"}, "judge a"),
        ({"by": "embedder", "model": "minilm", "threshold": 0.8}, "embedder minilm 0.8"),
    ],
)
def test_who_made_the_classes_is_a_fact_that_marks_rows_apart(tmp_path, classes, words):
    task = {
        "results": {"distinct_k,scored": 3.0},
        "config": {"metadata": {"classes": classes, "ratings": {"by": "none"}}},
        "better": {"distinct_k": True},
        "lines": [],
    }
    (run,) = read_results(write_run(tmp_path, merge(0.5), {"novelty_bench": task}), [])
    ours = facts_of(run, None, None)
    assert ours["classes by"] == words
    other = ours | {"classes by": "classifier x 0.102"}
    assert same_questions(ours, other) == f"classes by: {words} against classifier x 0.102"
