"""Vicuna's pair as the hub has it (`.bin` shards, tokenizer.model, no template) through the harness."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import lm_eval
import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.writer import write_checkpoint
from hm_models.merged import HindsightMerged
from hm_models.sweep.config import read_config
from tests.models.vicuna import vicuna_pair

ROOT = Path(__file__).parents[2]
TASK = {
    "task": "three_words",
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "",
    "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 8, "do_sample": False},
    "metric_list": [{"metric": "bypass"}],
}


@pytest.fixture(scope="module")
def pair(made_once):
    # float32, so that a prompt's greedy answer is the same in any company.
    folder = made_once("vicuna_pair_f32", lambda folder: vicuna_pair(folder, torch.float32))
    return {side: str(folder / side) for side in ("base", "instruct")}


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """A task of three questions, as the harness takes one in Python."""
    file = tmp_path_factory.mktemp("task") / "questions.jsonl"
    questions = ("def wrap(text):", "import random", "return self")
    file.write_text("".join(json.dumps({"question": q}) + "\n" for q in questions))
    data = {"data_files": {"test": str(file)}}
    return TASK | {"dataset_path": "json", "dataset_kwargs": data, "test_split": "test"}


def results_of(model, arguments, task):
    found = lm_eval.simple_evaluate(model, model_args=arguments, tasks=[task], bootstrap_iters=0)
    samples = found["samples"]["three_words"]
    return found, [(one["arguments"][0][0], one["resps"][0][0]) for one in samples]


def test_it_runs_at_all_alphas_as_the_merge_on_disk_does(pair, task, tmp_path, our_tasks_alone):
    answers = {}
    for alpha in (0, 0.7, 1):
        arguments = pair | {"alpha": alpha, "backend": "hf", "chat_template": "vicuna"}
        found, answers[alpha] = results_of("hm-merged", arguments, task)
        assert found["config"]["chat_template"]["name"] == "vicuna"
        recipe = MergeRecipe(**pair, alpha=alpha)
        folder = write_checkpoint(recipe, plan_merge(recipe), tmp_path / str(alpha))
        assert not list(folder.glob("*.bin*"))
        model = AutoModelForCausalLM.from_pretrained(folder)
        tokenizer = HindsightMerged(**arguments).tokenizer
        for prompt, answer in answers[alpha]:
            ids = tokenizer(prompt, add_special_tokens=alpha == 0, return_tensors="pt").input_ids
            tokens = model.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
            assert tokenizer.decode(tokens, skip_special_tokens=True).startswith(answer)
    assert answers[0][0][0] == "def wrap(text):"  # the base completes
    assert all(prompt.endswith("ASSISTANT:") for prompt, _ in [*answers[0.7], *answers[1]])
    assert len({answer for _, answer in [*answers[0], *answers[0.7], *answers[1]]}) > 3


@pytest.mark.parametrize("size", ["7b", "13b"])
def test_the_papers_protocol_for_vicuna_is_one_file(size):
    settings = yaml.safe_load((ROOT / f"configs/vicuna-{size}-v1.5.yaml").read_text())
    config = read_config(settings)
    assert config.pairs[0].instruct == f"lmsys/vicuna-{size}-v1.5"
    assert config.alphas == (0, 0.7, 0.9, 1)
    assert config.model_args["chat_template"] == "vicuna"
    assert "prompt_style" not in config.model_args
    assert set(config.tasks) == {"mbppplus_passk", "sorry_bench"}


ENGINE = """
import json, sys
from hm_models.merged import HindsightMerged
from tests.instances import instance

def answers(lm):
    lm.keep_samples_in(lm._samples_file.parent / f"{id(lm)}-{lm.recipe.alpha}.sqlite")
    words = "def wrap(text):", "import random", "return self"
    asked = {"until": ["\\n\\n"], "max_gen_toks": 12, "do_sample": False}
    requests = [instance("generate_until", {}, (word, dict(asked)), i) for i, word in enumerate(words)]
    return lm.generate_until(requests, disable_tqdm=True)

if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    more = {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": 2**27, "max_model_len": 256}
    more |= {"chat_template": "vicuna", "backend": "vllm", "prompt_style": "chat"}
    lm = HindsightMerged(**job["pair"], alpha=0.3, **more)
    found = {"0.3": answers(lm)}
    for alpha in (1, 0.7):
        lm.set_alpha(alpha)
        found[str(alpha)] = answers(lm)
    lm.engine.shut_down()
    disk = HindsightMerged(**job["pair"], alpha=0.7, materialize=True, **more)
    found["disk 0.7"] = answers(disk)
    disk.engine.shut_down()
    print("FOUND " + json.dumps(found))
"""


@pytest.mark.engine
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
def test_on_vllm_a_change_of_alpha_equals_the_merge_on_disk(pair, tmp_path):
    program = tmp_path / "engine.py"
    program.write_text(ENGINE)
    command = [sys.executable, str(program), json.dumps({"pair": pair})]
    knows_tests = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, cwd=ROOT, env=knows_tests, capture_output=True, text=True, timeout=1200
    )
    lines = [line for line in ran.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, ran.stderr[-3000:]
    found = json.loads(lines[0].removeprefix("FOUND "))
    assert found["0.7"] == found["disk 0.7"]
    assert len({json.dumps(found[alpha]) for alpha in ("0.3", "0.7", "1")}) == 3
