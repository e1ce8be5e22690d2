"""The tasks that come along wrap the harness's own: by their names, filters, metrics and numbers of tokens."""

from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import TaskIndex

import hm_tasks
from hm_models.sweep.config import read_config, read_settings
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


def test_the_sweep_over_code_mathematics_and_instructions_asks_for_tasks_that_come_along():
    config = read_config(read_settings(CONFIGS / "reasoning.yaml"))
    assert config.tasks == ("mbppplus_passk", "gsm8k_passk", "math500_passk", "ifeval_passk")
    assert set(config.tasks) <= TaskIndex.build([OURS]).keys()
    assert config.alphas == read_config(read_settings(CONFIGS / "qwen3-8b.yaml")).alphas
    context = config.model_args["max_model_len"]
    assert all(READY[task][-1] <= context // 2 for task in config.tasks if task in READY)
