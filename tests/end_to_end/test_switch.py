"""Two models that take turns, through the harness's own command: its results name the rule."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.models.tiny import edit_config, tiny_checkpoint

LM_EVAL = Path(sys.executable).with_name("lm_eval")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("switch")
    pair = [
        tiny_checkpoint(folder / name, seed, dtype=torch.float32)
        for seed, name in enumerate(("base", "instruct"))
    ]
    for side in pair:
        edit_config(side, max_position_embeddings=4096)  # room for a prompt
    return pair


def lm_eval(folder, pair, *arguments, tasks="demo_passk"):
    command = [LM_EVAL, "run", "--model", "hm-merged", "--model_args"]
    command += [f"base={pair[0]}", f"instruct={pair[1]}", "merge_method=switch", *arguments]
    command += ["--tasks", tasks, "--limit", "2", "--confirm_run_unsafe_code", "--log_samples"]
    command += ["--output_path", "out", "--batch_size", "4", "--gen_kwargs", "max_gen_toks=8"]
    command += ["--metadata", '{"n_samples": 3, "k": [1]}']
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=os.environ | {"HM_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.mark.slow
@pytest.mark.engine
def test_results_carry_the_rule_and_another_run_reuses_its_samples(pair, tmp_path):
    rule = 'merge_params={"probability":0.25}'
    for reused in (0, 6):
        done = lm_eval(tmp_path, pair, rule)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        (folder,) = (tmp_path / "out").iterdir()
        assert folder.name == "base--instruct--switch--probability-0.25"
        report = json.loads(max(folder.glob("results_*.json")).read_text())
        assert report["results"]["demo_passk"]["reused,scored"] == reused
        merge = report["config"]["merge"]
        assert merge["merge_method"] == "switch"
        assert merge["merge_params"] == {"alphas": [0.0, 1.0], "probability": 0.25}
        assert merge["alpha"] is None
        assert report["config"]["backend"] == "hf"
        assert report["config"]["prompt_style"] == "chat"
    samples = [json.loads(line) for line in max(folder.glob("samples_*")).open()]
    assert all(len(set(sample["resps"][0])) > 1 for sample in samples)


@pytest.mark.engine
def test_a_rule_that_is_none_ends_the_command_with_the_sentence(pair, tmp_path):
    done = lm_eval(tmp_path, pair, 'merge_params={"every":0}')
    assert done.returncode != 0
    assert "every=0: expected a whole number of tokens" in done.stderr + done.stdout
    assert not (tmp_path / "out").exists()
