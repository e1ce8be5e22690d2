"""Samplers as an axis: one engine for all, resumed under either name, refused where they change nothing."""

import importlib.util
import json
from pathlib import Path

import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report.points import join
from hm_models.sweep.config import SweepError, read_config
from hm_models.sweep.points import points_of
from hm_models.sweep.preflight import check
from hm_models.sweep.runners import LocalRunner
from tests.models.sweep.world import TASK, open_sweep, samples, settings, write_task

SAMPLERS = [{"temperature": 1.5}, {"temperature": 1.5, "top_n_sigma": 1.0}, {"min_p": 0.3}]


def test_one_engine_serves_all_samplers_and_the_report_has_a_row_for_each(
    base, instruct, task, tmp_path, engines
):
    given = settings(base, instruct, task, alphas=[0.7], samplers=SAMPLERS)
    assert open_sweep(given, tmp_path / "out").run([LocalRunner(quiet=True)]) == 0
    assert engines == [0.7]
    texts = [samples(folder) for folder in sorted((tmp_path / "out" / "tiny").iterdir())]
    assert len({json.dumps(text) for text in texts}) == 3, "points that answer alike show nothing"
    assert [point.label for point in join(find_runs([tmp_path / "out"]).runs)] == [
        "alpha=0.7, T=0.7, min_p=0.3",
        "alpha=0.7, T=1.5",
        "alpha=0.7, T=1.5, top_n_sigma=1",
    ]


def test_a_sweep_over_temperatures_goes_on_as_one_over_samplers(base, instruct, task, tmp_path):
    given = settings(base, instruct, task, alphas=[0.7])
    done = open_sweep(given | {"temperatures": [0.5, 1]}, tmp_path / "out")
    assert done.run([LocalRunner(quiet=True)]) == 0
    long = [{"temperature": 0.5}, {"temperature": 1}]
    assert open_sweep(given | {"samplers": long}, tmp_path / "out").left == []
    more = open_sweep(given | {"samplers": [*long, {"top_k": 3}]}, tmp_path / "out")
    assert [point.name for point in more.left] == ["alpha0.7--top_k3"]


def problems(base, instruct, task, **more):
    return check(read_config(settings(base, instruct, task, **more))).problems


def test_a_sampler_that_a_greedy_task_would_pass_over_is_refused(base, instruct, tmp_path):
    greedy = write_task(
        tmp_path / "greedy", generation_kwargs={"until": ["</s>"], "do_sample": False}, repeats=1
    )
    (problem,) = problems(base, instruct, greedy, samplers=[{"min_p": 0.1}])
    assert "tiny_words draws nothing by itself" in problem
    assert "the sampler (min_p 0.1) would change nothing. Give the sampler a temperature" in problem
    takes = [{"temperature": 1.2, "min_p": 0.1}, {"repetition_penalty": 1.1}, {}]
    assert problems(base, instruct, greedy, samplers=takes) == ()
    drawn = {"gen_kwargs": {"do_sample": True, "temperature": 0.7}}
    assert problems(base, instruct, greedy, samplers=[{"min_p": 0.1}], **drawn) == ()


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
def test_a_sampler_that_the_backend_lacks_is_named_before_anything_is_loaded(
    base, instruct, task, no_weights
):
    samplers = [{"temperature": 1.5, "typical_p": 0.9}]
    model_args = {"model_args": {"backend": "vllm"}}
    (problem,) = problems(base, instruct, task, samplers=samplers, **model_args)
    assert "typical_p=0.9 among the sampling parameters is nothing that vLLM has" in problem
    assert problems(base, instruct, task, samplers=samplers) == ()


def test_what_is_passed_by_gen_kwargs_is_checked_likewise(base, instruct, task, no_weights):
    assert TASK["generation_kwargs"]["do_sample"]
    (problem,) = problems(base, instruct, task, gen_kwargs={"presence_penalty": 0.5})
    assert "presence_penalty is no sampling parameter of backend hf" in problem


SEVERAL = {"temperature": 0.7, "verbalized": 5}


def test_verbalized_goes_to_tasks_and_never_to_an_engine(base, instruct, task):
    given = settings(base, instruct, task, alphas=[1], samplers=[{"temperature": 0.7}, SEVERAL])
    plain, several = points_of(config := read_config(given))
    assert several.name == "alpha1--temperature0.7--verbalized5"
    asked = several.run_arguments(config, Path())
    assert asked["metadata"] == {"verbalized": 5}
    assert asked["gen_kwargs"] == plain.run_arguments(config, Path())["gen_kwargs"]


def test_a_task_that_cannot_ask_for_several_is_refused(base, instruct, task):
    found = problems(base, instruct, task, alphas=[1], samplers=[{"temperature": 0.7}, SEVERAL])
    assert found[0].startswith("tasks: tiny_words knows no verbalized")


def test_alpha_0_which_completes_prompts_is_refused_with_verbalized(base, instruct, task):
    found = problems(base, instruct, task, alphas=[0, 1], samplers=[SEVERAL])
    assert "asks in a chat, and this point is given prompts to complete. Leave alpha 0" in found[1]
    chat = {"model_args": {"backend": "hf", "prompt_style": "chat"}}
    assert len(problems(base, instruct, task, alphas=[0, 1], samplers=[SEVERAL], **chat)) == 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"samplers": [{"verbalized": 1}]}, "verbalized=1 .*: expected a whole number, 2 at least"),
        ({"samplers": [SEVERAL], "metadata": {"verbalized": 3}}, "stands in metadata and in sampl"),
    ],
)
def test_a_number_of_answers_that_cannot_be_or_stands_twice_is_refused(
    base, instruct, task, more, sentence
):
    with pytest.raises(SweepError, match=sentence):
        read_config(settings(base, instruct, task, **more))
