"""One pass over finished texts: the logits before each token. vLLM's are in `test_live_vllm`."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from hm_models.engines.teacher_forced import logits_of
from hm_models.merged import HindsightMerged
from tests.models.tiny import tiny_checkpoint

PAIRS = [("w1 w2 w3", " w4 w5"), ("", "w6 w7 w8"), ("w1", ""), ("w1 w2 w3", " w9")]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    for seed, name in enumerate(("base", "instruct")):
        tiny_checkpoint(folder / name, seed, dtype=torch.float32)
    return {"base": str(folder / "base"), "instruct": str(folder / "instruct"), "alpha": 1}


@pytest.fixture(scope="module")
def hf(pair):
    return HindsightMerged(**pair, backend="hf").lm


def test_logits_are_those_before_each_token_of_the_text_alone(hf, pair):
    model = AutoModelForCausalLM.from_pretrained(pair["instruct"], dtype=torch.float32)
    tokens = hf.tokenizer.get_vocab()
    expected = [[tokens[word] for word in text.split()] for _, text in PAIRS]
    for (prompt, _), ids, (logits, found) in zip(
        PAIRS, expected, logits_of(hf, PAIRS), strict=True
    ):
        assert found.tolist() == ids
        before = [tokens[word] for word in prompt.split()] or [hf.prefix_token_id]
        with torch.no_grad():
            whole = model(torch.tensor([before + ids])).logits[0]
        right = whole[len(before) - 1 : len(before) - 1 + len(ids)]
        assert torch.allclose(logits, right, atol=1e-5)


def test_a_text_longer_than_the_model_takes_loses_its_end_and_the_prompt_its_beginning(hf):
    long = " ".join(["w1"] * 600)
    ((logits, ids),) = logits_of(hf, [("w2 w3", " " + long)])
    assert len(logits) == len(ids) == hf.max_length - 2
    ((logits, ids),) = logits_of(hf, [(long, " w4")])
    assert ids.tolist() == [hf.tokenizer.get_vocab()["w4"]]
