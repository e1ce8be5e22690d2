"""The tasks that come along wrap the harness's own: by their names, filters, metrics and numbers of tokens."""

from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import TaskIndex

import hm_tasks
from hm_models.sweep.config import read_config, read_settings
from hm_models.sweep.points import points_of
from hm_models.sweep.preflight import load_tasks
from tests.tasks.any_passk.ten_tasks import AIME_25, CASES, GPQA_COT

OURS = Path(hm_tasks.__file__).parent
CONFIGS = Path(__file__).parents[3] / "configs"
LOCAL = {case.task: case for case in (*CASES, AIME_25, GPQA_COT)}
READY = {
    # task: what it wraps, filter and metric of the headline, what makes answers equal, tokens of a sample
    "demo_math_passk": ("demo_math", "flexible-extract", "exact_match", "math", 192),
    "gsm8k_passk": ("gsm8k_cot", "strict-match", "exact_match", "math", 1024),
    "math500_passk": ("minerva_math500", "none", "math_verify", "math", 2048),
    "aime24_passk": ("aime24", "none", "exact_match", "math", 32768),
    "aime25_passk": ("aime25", "none", "exact_match", "math", 32768),
    "gpqa_diamond_passk": (
        *("gpqa_diamond_cot_zeroshot", "flexible-extract", "exact_match", "text", 2048),
    ),
    "ifeval_passk": ("ifeval", "none", "prompt_level_strict_acc", "text", 1280),
}


@pytest.mark.parametrize("name", READY)
def test_a_task_that_comes_along_is_the_harness_s_with_a_headline(name, tmp_path, no_download):
    wraps, by_filter, metric, equal, tokens = READY[name]
    if wraps in LOCAL:
        LOCAL[wraps].yaml_in(tmp_path)
    manager = TaskManager(include_path=[OURS, tmp_path], include_defaults=False)
    config = manager.load([name])["tasks"][name].dump_config()
    noted = config["metadata"]
    assert noted["inner"]["task"] == wraps
    assert noted["inner"]["was_greedy"]
    assert noted["headline"] == {"filter": by_filter, "metric": metric}
    assert noted["equal"] == equal
    assert noted["n_samples"] == config["repeats"] == 11
    asked = config["generation_kwargs"]
    assert (asked["temperature"], asked["top_p"], asked["do_sample"]) == (0.7, 0.95, True)
    assert asked["max_gen_toks"] == tokens
    assert asked["until"] == config["inner"]["generation_kwargs"]["until"]


def test_there_is_no_other_one():
    found = {
        entry.name
        for entry in TaskIndex.build([OURS / "any_passk"]).values()
        if entry.cfg and entry.cfg.get("passk_of")
    }
    assert found == set(READY)


@pytest.fixture
def reasoning():
    return read_settings(CONFIGS / "reasoning.yaml")


def test_the_sweep_over_code_mathematics_and_instructions_has_room_for_what_it_asks(reasoning):
    config = read_config(reasoning)
    assert config.tasks == ("mbppplus_passk", "gsm8k_passk", "math500_passk", "ifeval_passk")
    assert config.alphas == read_config(read_settings(CONFIGS / "qwen3-8b.yaml")).alphas
    context = config.model_args["max_model_len"]
    assert all(READY[task][-1] <= context // 2 for task in config.tasks if task in READY)


def test_its_plan_counts_the_answers_of_the_wrapped_tasks(
    reasoning, tmp_path, no_download, our_tasks_alone
):
    wrapping = [name for name in reasoning["tasks"] if name in READY]
    for name in wrapping:
        LOCAL[READY[name][0]].yaml_in(tmp_path)
    config = read_config(reasoning | {"tasks": wrapping, "include_path": str(tmp_path)})
    sizes = load_tasks(config, points_of(config)[0])
    assert [(size.name, size.answers, size.max_tokens) for size in sizes] == [
        ("gsm8k_passk", 2 * 11, 1024),
        ("math500_passk", 3 * 11, 2048),
        ("ifeval_passk", 5 * 11, 1280),
    ]
