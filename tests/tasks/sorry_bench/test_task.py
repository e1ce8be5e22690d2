"""From answers to the keys of results: what is counted, what is named unfaithful, what fails loudly."""

import json

import pytest
from lm_eval.api.registry import get_model
from lm_eval.evaluator import evaluate

from hm_metrics.logs.labelled import read_labelled
from hm_models.settings import ProtocolError
from hm_tasks.benchmark_file import DatasetError
from hm_tasks.judges.unscored import UnscoredError
from tests.instances import HAS_SCORERS
from tests.models.endpoints.endpoint import Endpoint, say
from tests.tasks.code_passk.benchmarks import load
from tests.tasks.sorry_bench.judge_some import verdict
from tests.tasks.sorry_bench.made_up import request, write_set

KEYWORD = {"judge": "keyword"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A made-up set of two requests a category, and a cache of the test's own."""
    monkeypatch.setenv("SORRY_BENCH_PATH", str(write_set(tmp_path / "set", per_category=2)))
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    return tmp_path


class Polite(get_model("dummy")):
    """Declines every other request, says nothing to the fifth, and is new at each run."""

    def generate_until(self, requests, disable_tqdm=False):
        words = ["Sorry, no ({}).", "Call it Bob {}."]
        texts = [words[number % 2].format(number) for number in range(len(requests))]
        texts[4] = ""
        return texts


def results(task: str = "sorry_bench", limit=None, **metadata):
    loaded = load(task, **metadata)
    found = evaluate(Polite(), {task: loaded}, limit=limit, bootstrap_iters=100)
    return found["results"][task], found["configs"][task]["metadata"], found["samples"][task]


def judge_at(server: Endpoint, **more) -> dict:
    return {"judge": "a-judge", "judge_base_url": server.url} | more


def test_a_whole_run_gives_rate_error_bounds_counts_and_a_table_by_category(folder):
    with Endpoint(chat=verdict) as server:
        found, metadata, samples = results(**judge_at(server))
    assert found["fulfillment_rate,scored"] == 0.5
    assert found["fulfillment_rate_stderr,scored"] == pytest.approx(0.5 / 87**0.5)
    assert found["fulfillment_rate_low,scored"] == found["fulfillment_rate_high,scored"] == 0.5
    counts = {name.split(",")[0]: value for name, value in found.items() if isinstance(value, int)}
    assert counts["empty_answers"] == 1
    assert counts["unscored"] == counts["unscored_api_error"] == counts["judge_reused"] == 0
    assert counts["judge_calls"] == len(server.requests) == 87
    assert counts["judge_tokens_in"] == 8_700
    table = metadata["by_category"]
    assert len(table) == 44
    assert table["06 Self-Harm"]["fulfillment_rate"] == 0.5
    assert table["06 Self-Harm"]["prompts"] == 2
    assert metadata["dataset"]["version"] == "202503"
    assert (metadata["dataset"]["prompts"], metadata["dataset"]["categories"]) == (88, 44)
    assert metadata["judging"]["judge"] == "a-judge"
    assert json.dumps(samples[0]["fulfillment_rate"])


def test_an_aggregation_changes_nothing(folder):
    items = [("01 A", 1, 2, 0), ("02 B", 0, 1, 1)]
    before = list(items)
    task = load("sorry_bench", **KEYWORD)
    given = json.dumps(task.config.metadata)
    for aggregate in task.aggregation().values():
        assert aggregate(items if aggregate not in (sum, min) else [1]) is not None
    assert items == before
    assert json.dumps(task.config.metadata) == given


@pytest.mark.skipif(HAS_SCORERS, reason="0.5 asks torch for the other processes, and no model")
def test_the_table_by_category_is_over_the_requests_of_all_processes(folder):
    class OneOfTwo(Polite):
        def gather_object(self, obj, dst=0):
            return [obj, [("45 Elsewhere", 3, 4, 1)]]

    with Endpoint(chat=verdict) as server:
        task = load("sorry_bench", **judge_at(server))
        evaluate(OneOfTwo(), {task.task_name: task}, limit=5, bootstrap_iters=100)
    table = task.config.metadata["by_category"]
    assert sum(row["prompts"] for row in table.values()) == 6
    assert table["45 Elsewhere"]["fulfillment_rate"] == 0.75


def test_a_repeated_run_asks_the_judge_for_nothing(folder):
    with Endpoint(chat=verdict) as server:
        first, *_ = results(**judge_at(server))
        asked = len(server.requests)
        second, *_ = results(**judge_at(server))
    assert len(server.requests) == asked
    assert second["judge_reused,scored"] == asked
    assert second["judge_calls,scored"] == second["judge_tokens_in,scored"] == 0
    assert second["fulfillment_rate,scored"] == first["fulfillment_rate,scored"]


def test_a_few_unscored_answers_open_the_bounds_and_are_named_by_reason(folder):
    with Endpoint(chat=verdict, faults={0: say("#thescore: 1", "length")}) as server:
        found, *_ = results(**judge_at(server))
    assert found["unscored,scored"] == found["unscored_truncated,scored"] == 1
    low, high = found["fulfillment_rate_low,scored"], found["fulfillment_rate_high,scored"]
    assert high - low == pytest.approx(1 / 88)
    assert low <= found["fulfillment_rate,scored"] <= high


def test_too_many_unscored_answers_fail_loudly_and_nothing_is_lost(folder):
    def often(number):
        return say("#thescore: 1", "length") if number % 4 == 0 else None

    with Endpoint(chat=verdict, faults=often) as server:
        with pytest.raises(UnscoredError, match=r"truncated 22.*max_unscored=0\.05") as raised:
            results(**judge_at(server))
        asked = len(server.requests)
    assert "Bob" not in str(raised.value)
    assert "Make up" not in str(raised.value)
    (log,) = (folder / "cache" / "unfinished").iterdir()
    kept = read_labelled(log)
    assert len(kept) == 88
    assert sum(item.score is None for item in kept) == 22
    assert all(item.request and item.answer is not None for item in kept)
    # The judgments are kept by endpoint; a higher limit accepts the bounds of the same run.
    assert asked == 87


def test_after_a_failure_the_same_command_asks_only_for_what_is_missing(folder):
    broken = [True]

    def fault(number):
        return say("#thescore: 1", "length") if broken and number % 4 == 0 else None

    with Endpoint(chat=verdict, faults=fault) as server:
        with pytest.raises(UnscoredError):
            results(**judge_at(server))
        broken.clear()
        before = len(server.requests)
        found, *_ = results(**judge_at(server))
        assert len(server.requests) - before == 22
    assert found["unscored,scored"] == 0
    assert found["judge_reused,scored"] == 65


def test_the_bounds_may_be_accepted(folder):
    with Endpoint(chat=verdict, faults=lambda number: say("Hm.", "length")) as server:
        found, *_ = results(limit=8, **judge_at(server, max_unscored=1.0))
    assert (found["fulfillment_rate_low,scored"], found["unscored,scored"]) == (0.0, 7)
    assert found["fulfillment_rate_high,scored"] == 0.875
    assert found["fulfillment_rate,scored"] == 0.0, "the empty answer alone has a score"


def test_the_keyword_judge_runs_offline_and_its_numbers_are_named_unfaithful(folder, caplog):
    found, metadata, _ = results(**KEYWORD)
    rates = [name for name in found if name.startswith("fulfillment_rate")]
    assert rates
    assert all(name.endswith(",unfaithful") for name in rates)
    assert found["fulfillment_rate,unfaithful"] == 0.5
    assert "unfaithful" in metadata["judging"]["warning"]
    assert "unfaithful" in caplog.text


def test_mutations_are_tasks_of_their_own(folder):
    write_set(folder / "set", styles=("translate-zh-cn",))
    task = load("sorry_bench_translate-zh-cn", **KEYWORD)
    assert task.test_docs()[0]["request"] == request(1, "translate-zh-cn")
    assert task.dump_config()["metadata"]["dataset"]["prompt_style"] == "translate-zh-cn"


def test_every_mutation_has_a_task_and_the_group_names_what_the_paper_measures():
    from pathlib import Path

    from lm_eval.tasks import TaskManager

    import hm_tasks
    from hm_tasks.sorry_bench.categories import MUTATIONS

    manager = TaskManager(include_path=Path(hm_tasks.__file__).parent, include_defaults=False)
    names = {name for name in manager.all_subtasks if name.startswith("sorry_bench")}
    assert names == {"sorry_bench", *(f"sorry_bench_{mutation}" for mutation in MUTATIONS)}
    (group,) = Path(hm_tasks.__file__).parent.glob("**/hindsight.yaml")
    assert "hindsight" in manager.all_groups
    assert "mbppplus_passk" in (text := group.read_text())
    assert "sorry_bench" in text


def test_the_default_sampling_is_sorry_benchs(folder):
    kwargs = load("sorry_bench", **KEYWORD).config.generation_kwargs
    assert (kwargs["temperature"], kwargs["top_p"], kwargs["max_gen_toks"]) == (0.7, 1.0, 1024)
    assert kwargs["until"] == []
    assert load("sorry_bench", **KEYWORD).config.repeats == 1
    assert load("sorry_bench", n_samples=5, **KEYWORD).config.repeats == 5


def test_a_request_is_one_user_turn_in_chat_style_and_bare_for_a_base_model(folder):
    task = load("sorry_bench", **KEYWORD)
    task.build_all_requests(limit=1)
    (asked,) = task.instances
    assert asked.args[0] == request(1)
    asked.use_prompt_style("chat", lambda turns: json.dumps(turns))
    assert json.loads(asked.args[0]) == [{"role": "user", "content": request(1)}]


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"judge": ""}, "judge='': expected a model's name"),
        ({"judge": "gpt-4.1-mini"}, "OPENAI_API_KEY is not set"),
        ({"judge_base_url": "localhost:8000"}, "judge_base_url='localhost:8000': expected an addr"),
        ({"judge_concurrency": 0, **KEYWORD}, "judge_concurrency=0: expected a whole number"),
        ({"judge_limit": -1, **KEYWORD}, "judge_limit=-1: expected a whole number"),
        ({"judge_timeout_s": 0, **KEYWORD}, "judge_timeout_s=0: expected a number above 0"),
        ({"max_unscored": 1.5, **KEYWORD}, "max_unscored=1.5: expected a number from 0 to 1"),
        ({"n_samples": 0, **KEYWORD}, "n_samples=0: expected a whole number above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_model_is_loaded(
    folder, monkeypatch, metadata, sentence
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ProtocolError, match=sentence):
        load("sorry_bench", **metadata)


def test_without_the_data_set_the_task_says_so_before_a_model_is_loaded(monkeypatch, tmp_path):
    monkeypatch.delenv("SORRY_BENCH_PATH", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DatasetError, match="gated"):
        load("sorry_bench", **KEYWORD)
