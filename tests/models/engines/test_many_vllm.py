"""vLLM with a soup of three checkpoints, streamed, answers like vLLM with that merge on disk."""

import importlib.util

import pytest
import torch
import yaml

from hm_models.errors import RecipeError
from tests.models.engines.shared_vllm import SharedVllm
from tests.models.tiny import tiny_checkpoint

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]
PROMPTS = ("w1 w2 w3", "w4", "w5 w6 w7 w8 w9")


def greedy(lm):
    """Tokens and log-probabilities of each prompt, where the weights are from, and the models."""
    from vllm import SamplingParams

    settings = SamplingParams(temperature=0, max_tokens=12, logprobs=1, ignore_eos=True)
    # One at a time: which prompts share a batch is a race, and rounding depends on the batch.
    answers = [
        lm.lm.model.generate(prompt, settings, use_tqdm=False)[0].outputs[0] for prompt in PROMPTS
    ]
    tokens = [(list(answer.token_ids), answer.cumulative_logprob) for answer in answers]
    return tokens, lm.engine.weights, lm.get_model_info()["merge"]["models"]


def refused(lm):
    """What is said of another alpha."""
    try:
        lm.set_alpha(0.5)
    except RecipeError as error:
        return str(error)


def test_a_streamed_soup_of_three_answers_like_the_one_on_disk(tmp_path):
    folders = [
        tiny_checkpoint(tmp_path / name, seed, dtype=torch.float32, hidden_size=128)
        for seed, name in enumerate(("stage-1", "stage-2", "stage-3"))
    ]
    models = [
        {"model": str(folder), "parameters": {"weight": weight}}
        for folder, weight in zip(folders, ([0.1, 0.6], 0.3, 0.8), strict=True)
    ]
    file = tmp_path / "soup.yaml"
    file.write_text(yaml.safe_dump({"merge_method": "linear", "models": models}))
    found = []
    for way in ({"keep_resident": True}, {"materialize": True}):
        vllm = SharedVllm(tmp_path / "cache", recipe=str(file), **way)
        try:
            found.append(vllm.ask(greedy))
            said = vllm.ask(refused)
        finally:
            vllm.close()
        assert "soup.yaml merges 3 models by weights of its own" in said
    (streamed, one, told), (written, other, _) = found
    assert (one, other) == ("streamed", "materialised")
    assert streamed == written
    assert len({tuple(tokens) for tokens, _ in streamed}) == len(PROMPTS)
    assert [model["model"] for model in told] == list(map(str, folders))
