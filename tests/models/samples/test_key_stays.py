"""Fingerprints and keys are those of version 0.1, so that stores made then are used again.

The values were written down before the engines and the merge were rebuilt (issue 16).
"""

import hashlib
import json
import struct

import pytest

from hm_models.merge import recipe as recipe_module
from hm_models.merge.recipe import MergeRecipe
from hm_models.samples.key import ModelKey, jobs_of, question_of
from tests.instances import instance

RECIPES = {
    "a number": {"alpha": 0.7},
    "as text": {"alpha": "0.7"},
    "base": {"alpha": 0},
    "instruct": {"alpha": 1},
    "a gradient": {"alpha": [0.2, 0.9]},
    "patterns": {"alpha": {"mlp": 0.5, "*": 0.7}},
    "another dtype": {"alpha": 0.7, "merge_dtype": "bfloat16"},
    "linear, not normalised": {"alpha": 0.7, "merge_params": {"normalize": False}},
    "ties": {"alpha": 0.7, "merge_method": "ties", "merge_params": {"density": 0.5}},
    "at random": {"alpha": 0.7, "merge_method": "dare_linear", "merge_seed": 3}
    | {"merge_params": {"density": 0.5}},
    "mixed": {"alpha": 0.7, "merge_method": "mix"},
    "in turns": {"merge_method": "switch", "merge_params": {"probability": 0.1}},
}
FINGERPRINTS = {
    "a number": "c7ac9546d2c8b1a1bf0c6bb6c995704c51f14ce1dc069eb424ef1aab930d8378",
    "as text": "c7ac9546d2c8b1a1bf0c6bb6c995704c51f14ce1dc069eb424ef1aab930d8378",
    "base": "24ef07ba7977571b1aa7f0dd9f14de9b183c8963ae6a40cd252f1b5ef0d145da",
    "instruct": "57847e18baf6970bb3bfe03516837f59bc7b0218ec41eb4bdefdb15962678faf",
    "a gradient": "b94ab71bed7ab71c7e5554bfdd4d1ed459d180ecde1be05ef8ea65d91bdcc259",
    "patterns": "db0f57a60b96d13f6498a2388caf5285f4aa82a0c6c712d8ddc2ce3d4b26776d",
    "another dtype": "44f0af0da9c148cd83082c9848d745d41be9f78eedc656d9cb14e09e24fbded1",
    "linear, not normalised": "46f81635f21e7d53fc2bfe6be493ab47107175d4ae3cc294f1a49d21b4e43e7c",
    "ties": "2c461ceb5db5b138aa416b2f24d4fb58f9bfc7ef1cef2cd97e1ab60ac411a1b4",
    "at random": "57efceb07969ac1efaa2da7af98a3149b0858acdbcdf36a47e464c23250cc6d6",
    "mixed": "16f107d2a36eec26a5eec1862d9e77c7e4d1553332cd390fe02e2271bd583e9d",
    "in turns": "ae705a5b49270dbafb812fa489822fc2665a4e560c147d44e6324893bec9b5ed",
}
KEYS = {
    "a number, vllm": "63f642b7370772873431937ede0d4afeafcc595cf5a1ec5a758f8e552bfdf067",
    "a number, hf": "79d52f1f2d97d5682c74aa1a427e218f3609b9a1516ae9ea71ed270e819257de",
    "base, vllm": "de7031880d85615d06925197fa3271560498e57b014fc79e27437722cd6c65d8",
    "base, hf": "d3150e4dd3f3cca325f21a71b7d2a5cfd7f31c4549a68172278a7e8c5f460cc4",
    "in turns, vllm": "8b2d791fe917604d2b762f07a40eade1438adec04a9297d8421f47d3a250cd4a",
    "in turns, hf": "070c33e59c48187cbbe2d74bcddc9b1fc25aec9a1c338e725a8e1918d2dcdd9d",
}


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Two checkpoints of four numbers, byte for byte the same wherever they are made."""
    monkeypatch.setattr(recipe_module, "version", lambda package: "0.1.5")
    for side, value in (("base", 1.0), ("instruct", 2.0)):
        folder = tmp_path / side
        folder.mkdir()
        (folder / "config.json").write_text('{"model_type": "llama", "dtype": "float32"}')
        (folder / "tokenizer.json").write_text("{}")
        header = {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
        text = json.dumps(header).encode()
        data = struct.pack("<4f", *[value] * 4)
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    return {side: str(tmp_path / side) for side in ("base", "instruct")}


def keys_of(recipe, backend):
    """A digest of the keys and seeds of two samples of a prompt, and of a likelihood's key."""
    model = ModelKey.of(recipe, backend, {"dtype": "float32", "max_gen_toks": 8, "batch_size": 3})
    drawn = {"until": ["x"], "do_sample": True, "temperature": 0.8}
    request = instance("generate_until", {}, ("2+2?", drawn), 0, metadata=("task", 0, 2))
    jobs = jobs_of([request, request], model, 5)
    asked = [f"{job.key.question.hex()}/{job.key.index}/{job.seed}" for job in jobs]
    asked.append(question_of("loglikelihood", ("a", "b"), model).question.hex())
    return hashlib.sha256(";".join(asked).encode()).hexdigest()


@pytest.mark.parametrize("name", RECIPES)
def test_the_fingerprint_of_a_recipe_is_what_it_was(pair, name):
    assert MergeRecipe(**pair, **RECIPES[name]).fingerprint() == FINGERPRINTS[name]


@pytest.mark.parametrize("backend", ["vllm", "hf"])
@pytest.mark.parametrize("name", ["a number", "base", "in turns"])
def test_the_keys_and_seeds_of_samples_are_what_they_were(pair, name, backend):
    assert keys_of(MergeRecipe(**pair, **RECIPES[name]), backend) == KEYS[f"{name}, {backend}"]
