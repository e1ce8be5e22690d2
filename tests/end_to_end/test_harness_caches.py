"""The harness's caches under `hm-merged`: shared across alphas, styles, temperatures and n.

Where the plain harness would give another run's answers or requests, a control shows that it does.
"""

import inspect
import json
from pathlib import Path

import lm_eval
import lm_eval.api.model
import lm_eval.api.task
import lm_eval.caching.cache
import pytest
from lm_eval.tasks import TaskManager

from hm_models.merged import HindsightMerged

PLAIN_CACHING_LM = lm_eval.api.model.CachingLM.__mro__[1]
PLAIN_BUILD = inspect.unwrap(lm_eval.api.task.Task.build_all_requests)


@pytest.fixture(scope="module")
def pair(tiny_pair):
    return tiny_pair


@pytest.fixture(autouse=True)
def own_places(our_tasks_alone, tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "hm"))
    monkeypatch.setattr("lm_eval.caching.cache.PATH", str(tmp_path / "requests"))


def model(pair, alpha=0.7, **more):
    return HindsightMerged(
        base=str(pair / "base"), instruct=str(pair / "instruct"), alpha=alpha, backend="hf", **more
    )


@pytest.fixture
def task(tmp_path):
    """A task like gsm8k, or like its many samples, or like a multiple choice."""
    lines = [{"question": f"w{n} w{n + 1}", "answer": f"w{n}"} for n in range(4)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, lines)))

    def task(name="foreign", output_type="generate_until", repeats=1, **generation):
        found = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(tmp_path / "docs.jsonl")}},
            "test_split": "test",
            "output_type": output_type,
            "doc_to_text": "{{question}}",
            "doc_to_target": "{{answer}}",
        }
        if output_type == "multiple_choice":
            return found | {"doc_to_choice": ["w1", "w2", "w3"], "doc_to_target": 0}
        generation = {"until": ["\n"], "max_gen_toks": 6, "do_sample": False} | generation
        metric = {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}
        every = [{"name": "every", "filter": [{"function": "take_first_k", "k": repeats}]}]
        return found | {
            "generation_kwargs": generation,
            "repeats": repeats,
            "filter_list": every,
            "metric_list": [metric],
        }

    return task


def run(lm, *tasks, **options):
    # The thousands of tasks that come with the harness take seconds to index.
    manager = TaskManager(include_defaults=False)
    options = {"bootstrap_iters": 0, "task_manager": manager} | options
    found = lm_eval.simple_evaluate(lm, tasks=list(tasks), **options)["samples"]
    return {name: [sample["resps"][0] for sample in samples] for name, samples in found.items()}


SAMPLED = {"do_sample": True, "temperature": 1.0}


@pytest.mark.parametrize("kind", ["greedy", "sampled", "scored"])
def test_one_cache_file_for_two_alphas_gives_each_its_own_answers(pair, task, tmp_path, kind):
    asked = {
        "greedy": task(),
        "sampled": task(repeats=3, **SAMPLED),
        "scored": task(output_type="multiple_choice"),
    }[kind]
    alone = [
        run(model(pair, alpha), asked, use_cache=str(tmp_path / f"{alpha}")) for alpha in (0.2, 0.8)
    ]
    shared = [
        run(model(pair, alpha), asked, use_cache=str(tmp_path / "all")) for alpha in (0.2, 0.8)
    ]
    assert shared == alone
    assert shared[0] != shared[1]
    again = model(pair, 0.2)
    assert run(again, asked, use_cache=str(tmp_path / "all")) == alone[0]
    assert not again.engine.is_loaded


def test_the_plain_harness_answers_for_one_alpha_with_another_ones_answers(pair, task, tmp_path):
    backends = [model(pair, alpha).lm for alpha in (0.2, 0.8)]
    asked = task()
    truth = [run(lm, asked) for lm in backends]
    mixed = [run(lm, asked, use_cache=str(tmp_path / "plain")) for lm in backends]
    assert truth[0] != truth[1]
    assert mixed == [truth[0], truth[0]]


def test_other_models_keep_the_harnesss_cache(pair, task, tmp_path):
    backend = model(pair).lm
    run(backend, task(), use_cache=str(tmp_path / "plain"))
    caching = lm_eval.api.model.CachingLM(backend, str(tmp_path / "plain_rank0.db"))
    assert isinstance(caching, PLAIN_CACHING_LM)
    assert len(caching.dbdict) == 4


def requests_of(build, task, **options):
    (made,) = TaskManager(include_defaults=False).load([task])["tasks"].values()
    made.set_fewshot_seed(0)
    build(made, cache_requests=True, **options)
    return made.instances


def test_kept_requests_follow_temperature_n_and_samples(task):
    cold, hot = task(repeats=2, **SAMPLED), task(repeats=5, do_sample=True, temperature=1.5)
    build = lm_eval.api.task.Task.build_all_requests
    first = requests_of(build, cold)
    assert {(r.args[1]["temperature"], r.repeats) for r in first} == {(1.0, 2)}
    second = requests_of(build, hot)
    assert {(r.args[1]["temperature"], r.repeats) for r in second} == {(1.5, 5)}
    assert len(requests_of(build, cold, samples=[1, 3])) == 2
    assert len(requests_of(build, cold, limit=3)) == 3
    assert len(requests_of(build, cold)) == 4


def test_kept_requests_of_another_harness_are_not_read(task, monkeypatch):
    asked = task()
    build = lm_eval.api.task.Task.build_all_requests
    before = requests_of(build, asked)
    assert [r.args for r in requests_of(build, asked)] == [r.args for r in before]
    monkeypatch.setattr(lm_eval, "__version__", "0.4.12")  # whose file it is, by its name alone
    folder = Path(lm_eval.caching.cache.PATH)
    kept = set(folder.iterdir())
    requests_of(build, asked)
    assert len(set(folder.iterdir()) - kept) == 1


def test_the_plain_harness_gives_kept_requests_with_another_runs_temperature(task):
    requests_of(PLAIN_BUILD, task(repeats=2, **SAMPLED))
    second = requests_of(PLAIN_BUILD, task(repeats=5, do_sample=True, temperature=1.5))
    assert {(r.args[1]["temperature"], r.repeats) for r in second} == {(1.0, 2)}


def test_kept_requests_follow_the_models_prompt_style(pair, task):
    for _ in range(2):  # the second time out of the cache
        for alpha, prompt in ((0, "w0 w1"), (0.5, "<user> w0 w1 <assistant> "), (0, "w0 w1")):
            found = lm_eval.simple_evaluate(
                model(pair, alpha),
                tasks=[task()],
                task_manager=TaskManager(include_defaults=False),
                cache_requests=True,
                bootstrap_iters=0,
            )
            assert found["samples"]["foreign"][0]["arguments"][0][0] == prompt


def test_tasks_of_one_run_and_parts_of_them_get_the_answers_that_they_get_alone(pair, task):
    many, greedy = task("many", repeats=3, **SAMPLED), task("greedy")
    whole = run(model(pair, sampling_seed=1), many, greedy, task("choice", "multiple_choice"))
    alone = model(pair, sampling_seed=1)
    assert run(alone, many)["many"] == whole["many"]
    assert run(alone, greedy, limit=2)["greedy"] == whole["greedy"][:2]
    part = run(alone, many, samples={"many": [1, 3]})["many"]
    assert part == [whole["many"][1], whole["many"][3]]
    assert not alone.engine.is_loaded
