"""Data parallelism through Ray: the harness's actors find the plugin, and alpha follows.

Ray is an extra of its own (`pip install .[ray]`); without it this is skipped.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.entry_points import ROOT
from tests.models.tiny import tiny_checkpoint

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed"),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]

# On a machine without GPUs Ray is told of two, since the harness asks for one an actor.
ASK = """
import json, os, sys
import ray
from hm_models.merged import HindsightMerged
from tests.instances import instance

def answers(lm):
    if lm.engine.arguments.get("data_parallel_size"):
        ray.init(num_gpus=2, num_cpus=2, include_dashboard=False, ignore_reinit_error=True)
    asked = {"until": [], "do_sample": False, "max_gen_toks": 8}
    prompts = ("w1 w2", "w3", "w4 w5")
    return lm.generate_until([instance("generate_until", {}, (p, asked), 0) for p in prompts])

if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    lm = HindsightMerged(alpha=0.7, data_parallel_size=2, **arguments)
    before = answers(lm)
    lm.set_alpha(0.3)
    after = answers(lm)
    lm.set_alpha(0.7)
    lm.lm.generate_until = None  # what is kept needs no engines
    again = answers(lm)
    os.environ["HM_CACHE"] += "-other"
    alone = answers(HindsightMerged(alpha=0.3, **arguments))
    print("ANSWERS" + json.dumps([before, after, again, alone]), flush=True)
"""


def test_two_replicas_answer_like_one_engine(tmp_path):
    pair = {"base": str(tmp_path / "base"), "instruct": str(tmp_path / "instruct")}
    for seed, folder in enumerate(pair.values()):
        tiny_checkpoint(type(tmp_path)(folder), seed, hidden_size=128)
    engine = {"max_model_len": 128, "enforce_eager": True, "kv_cache_memory_bytes": 2**26}
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(pair | engine | {"backend": "vllm"})],
        env=os.environ
        | {"HM_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
        | {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    before, after, again, alone = json.loads(lines[0].removeprefix("ANSWERS"))
    assert after == alone != before == again
