"""`lm_eval.simple_evaluate` from Python: the model by name or as an object, with any tiny pair."""

import json

import lm_eval
import pytest

from hm_models.merged import HindsightMerged
from tests.models.adapters import adapter_of

pytestmark = pytest.mark.usefixtures("our_tasks_alone")

SETTINGS = {
    "tasks": ["demo_passk"],
    "limit": 1,
    "confirm_run_unsafe_code": True,
    "metadata": {"n_samples": 2, "k": [1, 2]},
    "gen_kwargs": "max_gen_toks=8",
    "bootstrap_iters": 0,
}


def arguments(pair, **more):
    paths = {"base": str(pair / "base"), "instruct": str(pair / "instruct")}
    return paths | {"alpha": 0.5, "backend": "hf"} | more


def test_the_model_is_known_by_name(tiny_pair):
    found = lm_eval.simple_evaluate("hm-merged", model_args=arguments(tiny_pair), **SETTINGS)
    results = found["results"]["demo_passk"]
    assert results["n_samples,scored"] == 2
    assert results["pass@1,scored"] == 0
    assert found["config"]["merge"]["alpha"] == 0.5
    (sample,) = found["samples"]["demo_passk"]
    assert sample["filtered_resps"][0][0]["base_status"] == "fail"
    json.dumps(found["config"])


def test_an_adapter_alone_is_a_model_with_the_base_that_it_names(tiny_pair, tmp_path):
    adapter = adapter_of(tiny_pair / "base", tmp_path / "sft")
    arguments = {"instruct": str(adapter), "alpha": 0.5, "backend": "hf"}
    found = lm_eval.simple_evaluate("hm-merged", model_args=arguments, **SETTINGS)
    assert found["results"]["demo_passk"]["n_samples,scored"] == 2
    merge = found["config"]["merge"]
    assert (merge["base"], merge["instruct"]) == (str(tiny_pair / "base"), str(adapter))
    assert merge["base_identity"] != merge["instruct_identity"]
    json.dumps(found["config"])


def test_a_model_object_works_as_well_and_alpha_zero_gets_completion_prompts(tiny_pair):
    lm = HindsightMerged(**arguments(tiny_pair, alpha=0))
    from lm_eval.tasks import TaskManager

    manager = TaskManager(metadata=SETTINGS["metadata"])
    found = lm_eval.simple_evaluate(lm, task_manager=manager, **SETTINGS)
    (sample,) = found["samples"]["demo_passk"]
    prompt, settings = sample["arguments"][0]
    assert prompt.startswith('"""\n')
    assert "\nassert" in settings["until"]
    assert found["results"]["demo_passk"]["generated,scored"] == 2


def test_the_harnesss_chat_flag_wins_over_the_models_style(tiny_pair):
    model_args = arguments(tiny_pair, prompt_style="completion")
    found = lm_eval.simple_evaluate(
        "hm-merged", model_args=model_args, apply_chat_template=True, **SETTINGS
    )
    (sample,) = found["samples"]["demo_passk"]
    assert sample["arguments"][0][0].startswith("<user> Please provide")
    assert found["config"]["prompt_style"] == "harness"


def test_a_foreign_task_is_asked_as_one_user_turn(tiny_pair, tmp_path):
    (tmp_path / "docs.jsonl").write_text('{"question": "w1 w2", "answer": "w3"}\n' * 2)
    task = {
        "task": "foreign",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "docs.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    found = lm_eval.simple_evaluate(
        "hm-merged", model_args=arguments(tiny_pair), tasks=[task], bootstrap_iters=0
    )
    prompts = [sample["arguments"][0][0] for sample in found["samples"]["foreign"]]
    assert prompts == ["<user> w1 w2 <assistant> "] * 2
