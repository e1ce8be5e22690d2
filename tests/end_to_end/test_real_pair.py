"""The real pair: mergekit's own bits, and the same greedy text streamed, materialised and on disk."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from tests.models.tiny import same_bits

ROOT = Path(__file__).parents[2]
ALPHA = 0.7
# Run in a process of its own: an engine is only gone with its process.
GREEDY = """
import json, sys
import lm_eval.models
from lm_eval.api.registry import get_model
from tests.instances import instance

if __name__ == "__main__":
    lm = get_model("hm-merged").create_from_arg_obj(json.loads(sys.argv[1]))
    asked = {"until": [], "do_sample": False, "max_gen_toks": 24}
    prompts = ["Write a poem.", "def add(a, b):", "The capital of France is"]
    requests = [instance("generate_until", {}, (prompt, asked), 0) for prompt in prompts]
    # One at a time: which requests share a batch is a race, and rounding depends on the batch.
    texts = [lm.generate_until([request])[0] for request in requests]
    scored = [instance("loglikelihood", {}, ("The sky is", " " + c), 0) for c in ("blue", "green")]
    print("ANSWER" + json.dumps([texts, [list(lm.loglikelihood([pair])[0]) for pair in scored]]))
"""


@pytest.mark.engine
def test_the_adapter_that_instruct_was_made_with_gives_its_weights_and_its_merges(demo_pair):
    base, instruct = (str(demo_pair / side) for side in ("base", "instruct"))
    adapter = str(ROOT / "scripts" / "demo_pair" / "adapter")
    expected = load_file(f"{instruct}/model.safetensors")
    for name, tensor in merged_tensors(MergeRecipe(base, adapter, 1)):
        assert same_bits(tensor, expected.pop(name)), name
    assert expected == {}
    merges = (merged_tensors(MergeRecipe(base, side, ALPHA)) for side in (adapter, instruct))
    for (name, ours), (other, theirs) in zip(*merges, strict=True):
        assert (name, same_bits(ours, theirs)) == (other, True)


@pytest.mark.engine
def test_the_stream_is_mergekits_own_merge_bit_for_bit(demo_pair, tmp_path):
    import yaml
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    config = {
        "merge_method": "linear",
        "dtype": "float32",
        "out_dtype": "bfloat16",
        "models": [
            {"model": f"{demo_pair}/base", "parameters": {"weight": 1 - ALPHA}},
            {"model": f"{demo_pair}/instruct", "parameters": {"weight": ALPHA}},
        ],
    }
    run_merge(
        MergeConfiguration.model_validate(yaml.safe_load(yaml.safe_dump(config))),
        str(tmp_path / "merged"),
        MergeOptions(copy_tokenizer=False, quiet=True),
    )
    theirs = {}
    for file in (tmp_path / "merged").glob("*.safetensors"):
        theirs |= load_file(file)
    recipe = MergeRecipe(f"{demo_pair}/base", f"{demo_pair}/instruct", ALPHA)
    ours = dict(merged_tensors(recipe))
    assert ours.keys() == theirs.keys()
    assert all(same_bits(ours[name], theirs[name]) for name in ours)
    base = load_file(demo_pair / "base" / "model.safetensors")
    changed = sum(not torch.equal(ours[name], base[name]) for name in ours)
    assert changed > 200, "the pair hardly differs, so this shows little"


def greedy(pair, cache, **options):
    arguments = {"base": f"{pair}/base", "instruct": f"{pair}/instruct", "alpha": ALPHA} | options
    # Answers are kept by what the model is, which streaming and materialising agree on: each call
    # has a cache of its own, or the second one would only be told what the first one found.
    own = cache / str(len(list(cache.iterdir())))
    own.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", GREEDY, json.dumps(arguments)],
        env=os.environ | {"HM_CACHE": str(own), "PYTHONPATH": str(ROOT)},
        cwd=own,
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(lines[0].removeprefix("ANSWER"))


@pytest.mark.campaign
def test_streaming_into_vllm_answers_like_the_checkpoint_on_disk(demo_pair, tmp_path):
    if find_spec("vllm") is None:
        pytest.skip("vLLM is not installed")
    engine = {"backend": "vllm", "max_model_len": 512, "enforce_eager": True}
    engine["kv_cache_memory_bytes"] = 2**29  # the default would take longer to touch than the test
    streamed = greedy(demo_pair, tmp_path, **engine)
    assert not list(tmp_path.rglob("*.safetensors"))
    assert streamed == greedy(demo_pair, tmp_path, **engine, materialize=True)
    assert list(tmp_path.rglob("*.safetensors"))
    assert len(set(streamed[0])) == 3


@pytest.mark.campaign
def test_streaming_into_transformers_answers_like_the_checkpoint_on_disk(demo_pair, tmp_path):
    streamed = greedy(demo_pair, tmp_path, backend="hf")
    assert streamed == greedy(demo_pair, tmp_path, backend="hf", materialize=True)
    assert streamed != greedy(demo_pair, tmp_path, backend="hf", alpha=1)
