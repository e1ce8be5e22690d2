"""A vLLM engine that holds an adapter's merge answers at each alpha as one of the merged checkpoint."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.models.adapters import ADDED, adapter_of, written
from tests.models.tiny import tiny_checkpoint, tiny_tokenizer

ROOT = Path(__file__).parents[3]
ENGINE = """
import json, sys
from hm_models.merged import HindsightMerged

def answers(lm):
    from vllm import SamplingParams

    settings = SamplingParams(temperature=0, max_tokens=12, logprobs=1, ignore_eos=True)
    # One at a time: which prompts share a batch is a race, and rounding depends on the batch.
    outputs = [lm.lm.model.generate(p, settings, use_tqdm=False)[0].outputs[0] for p in ("w1 w2", "w5")]
    return [[list(output.token_ids), output.cumulative_logprob] for output in outputs]

if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    more = {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": 2**27, "max_model_len": 128}
    lm = HindsightMerged(**job["sides"], alpha=job["alphas"][0], backend="vllm", **more)
    found = []
    for alpha in job["alphas"]:
        lm.set_alpha(alpha)
        found.append(answers(lm))
    lm.engine.shut_down()
    print("FOUND " + json.dumps(found))
"""


def found(program: Path, alphas: tuple[float, ...], **sides: str) -> list:
    program.write_text(ENGINE)
    command = [sys.executable, str(program), json.dumps({"sides": sides, "alphas": alphas})]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    lines = [line for line in ran.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, ran.stderr[-3000:]
    return json.loads(lines[0].removeprefix("FOUND "))


@pytest.mark.engine
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
def test_alphas_of_an_adapter_there_and_back_are_those_of_the_merged_checkpoint(tmp_path):
    base = tiny_checkpoint(tmp_path / "base", 1, dtype=torch.float32, hidden_size=128)
    adapter = adapter_of(base, tmp_path / "adapter", rows=83, use_dora=True)
    tiny_tokenizer(ADDED).save_pretrained(adapter)
    whole = written(base, adapter, tmp_path / "whole", rows=83)
    alphas = (0.7, 1, 0.3, 0.7)
    ours = found(tmp_path / "engine.py", alphas, instruct=str(adapter))
    theirs = found(tmp_path / "engine.py", alphas, base=str(base), instruct=str(whole))
    assert ours == theirs
    assert ours[0] == ours[3]
    assert len({json.dumps(answers) for answers in ours}) == 3
