"""A running engine that goes from alpha to alpha answers like a new engine at each of them."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.end_to_end.answers import answers
from tests.models.tiny import edit_config, tiny_checkpoint

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed"),
]
ENGINE = {"max_model_len": 128, "enforce_eager": True, "kv_cache_memory_bytes": 2**28}


# A checkpoint that shrinks under the engine's eyes: the worker dies in the middle of a tensor.
HALF_WAY = """
import json, os, sys
import psutil
from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.merged import HindsightMerged

if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    lm = HindsightMerged(alpha=0.7, backend="vllm", **arguments)
    assert lm.lm is not None
    file = os.path.join(arguments["instruct"], "model.safetensors")
    content = open(file, "rb").read()
    Checkpoint.check_unchanged = lambda self: None
    os.truncate(file, len(content) // 2)
    try:
        lm.set_alpha(0.3)
    except Exception as error:
        print("FAILED", type(error).__name__)
    try:
        lm.generate_until([])
    except RuntimeError as error:
        print("REFUSED", error)
    gone, alive = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=30)
    print("ALIVE", [p.name() for p in alive if "EngineCore" in p.name() or "Worker" in p.name()])
    open(file, "r+b").write(content)
    lm.set_alpha(0.3)
    print("ANEW", lm.lm is not None, lm.recipe.alpha, flush=True)
"""


def sides(pair):
    return {"base": str(pair / "base"), "instruct": str(pair / "instruct")}


@pytest.mark.parametrize(
    ("keep_resident", "ways"),
    [
        (False, [0.7, 0.3, 0.7]),
        pytest.param(False, [0.7, 0.3, 1, 0, 0.7], marks=pytest.mark.campaign),
        pytest.param(True, [0.7, 0.3, 0.7], marks=pytest.mark.campaign),
    ],
)
def test_alphas_there_and_back_equal_fresh_engines_in_the_same_engine(
    demo_pair, tmp_path, keep_resident, ways
):
    pair = sides(demo_pair)
    live = answers(pair | ENGINE | {"keep_resident": keep_resident}, ways, tmp_path)
    assert len({tuple(step["engines"]) for step in live}) == 1, "the engine was restarted"
    assert live[0]["answers"] == live[-1]["answers"]
    different = {str(step["answers"]) for step in live[:-1]}
    assert len(different) == len(ways) - 1, "alphas that answer alike show nothing"
    for step in live[1:-1]:
        (fresh,) = answers(pair | ENGINE, [step["alpha"]], tmp_path)
        assert fresh["answers"] == step["answers"]
        assert fresh["info"]["merge"]["fingerprint"] == step["info"]["merge"]["fingerprint"]
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.campaign
def test_a_base_with_another_config_gets_an_engine_of_its_own(tmp_path):
    pair = {"base": str(tmp_path / "base"), "instruct": str(tmp_path / "instruct")}
    for seed, folder in enumerate(pair.values()):
        tiny_checkpoint(type(tmp_path)(folder), seed, hidden_size=128)
    edit_config(tmp_path / "base", rope_theta=5000.0)
    merged, base = answers(pair | ENGINE, [0.5, 0], tmp_path)
    assert merged["engines"] != base["engines"]
    (fresh,) = answers(pair | ENGINE, [0], tmp_path)
    assert fresh["answers"] == base["answers"]


@pytest.mark.campaign
@pytest.mark.parametrize(
    "parallel",
    # vLLM's CPU build 0.32 cannot run a pipeline eagerly.
    [{"tensor_parallel_size": 2}, {"pipeline_parallel_size": 2, "enforce_eager": False}],
    ids=["tensor", "pipeline"],
)
def test_two_ranks_merge_their_parts_and_change_them_together(tmp_path, parallel):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two ranks of vLLM's CPU build need two cores")
    pair = {"base": str(tmp_path / "base"), "instruct": str(tmp_path / "instruct")}
    for seed, folder in enumerate(pair.values()):
        tiny_checkpoint(type(tmp_path)(folder), seed, hidden_size=128, tied=True)
    engine = pair | ENGINE | parallel
    cores = {"VLLM_CPU_OMP_THREADS_BIND": "0|1"}
    live = answers(engine, [0.7, 0.3, 0.7], tmp_path, **cores)
    (on_disk,) = answers(engine | {"materialize": True}, [0.3], tmp_path, **cores)
    assert live[1]["answers"] == on_disk["answers"] != live[0]["answers"]
    assert live[2]["answers"] == live[0]["answers"]


@pytest.mark.campaign
def test_a_change_that_fails_half_way_ends_the_engine_and_the_next_one_starts_anew(tmp_path):
    pair = {"base": str(tmp_path / "base"), "instruct": str(tmp_path / "instruct")}
    for seed, folder in enumerate(pair.values()):
        tiny_checkpoint(type(tmp_path)(folder), seed, hidden_size=128)
    done = subprocess.run(
        [sys.executable, "-c", HALF_WAY, json.dumps(pair | ENGINE)],
        cwd=tmp_path,
        env=os.environ | {"HM_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    said = [
        line for line in done.stdout.splitlines() if line.split()[:1] and line.split()[0].isupper()
    ]
    assert [line.split()[0] for line in said] == ["FAILED", "REFUSED", "ALIVE", "ANEW"], done.stderr
    assert "failed half-way" in said[1]
    assert "Call set_alpha again to load a new model" in said[1]
    assert said[2:] == ["ALIVE []", "ANEW True 0.3"]
