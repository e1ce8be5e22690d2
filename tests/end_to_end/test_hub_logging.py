"""The harness's own pushes to the hub, of a run of this plugin: results, every sample, and the card."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.hub import hub
from tests.models.tiny import tiny_checkpoint

LM_EVAL = Path(sys.executable).with_name("lm_eval")
PUSHED = "hub_results_org=me,details_repo_name=details,results_repo_name=results,public_repo=True"


@pytest.mark.campaign
def test_results_samples_and_card_reach_the_hub(tmp_path):
    pair = [tiny_checkpoint(tmp_path / n, s) for s, n in enumerate(("base", "instruct"))]
    command = [LM_EVAL, "run", "--model", "hm-merged", "--model_args"]
    command += [f"base={pair[0]},instruct={pair[1]},alpha=0.7,backend=hf", "--batch_size", "11"]
    command += ["--tasks", "demo_passk", "--limit", "2", "--gen_kwargs", "max_gen_toks=16"]
    command += ["--log_samples", "--output_path", tmp_path / "out", "--hf_hub_log_args"]
    command += [f"{PUSHED},push_results_to_hub=True,push_samples_to_hub=True"]
    with hub() as (address, repositories):
        environment = os.environ | {
            "HM_CACHE": str(tmp_path / "cache"),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_ENDPOINT": address,
            "HF_TOKEN": "hf_of_nobody",
            "HF_HUB_OFFLINE": "0",
        }
        done = subprocess.run(
            list(map(str, command)), env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr[-4000:]
    assert set(repositories) == {"me/details", "me/results"}
    for files in repositories.values():
        (results,) = [content for path, content in files.items() if "/results_" in path]
        assert json.loads(results)["config"]["merge"]["alpha"] == 0.7
    details = repositories["me/details"]
    (samples,) = [content for path, content in details.items() if "/samples_demo_passk_" in path]
    lines = [json.loads(line) for line in samples.decode().splitlines()]
    local = next((tmp_path / "out").glob("*/samples_demo_passk_*.jsonl"))
    assert lines == [json.loads(line) for line in local.read_text().splitlines()]
    assert "demo_passk" in details["README.md"].decode()
