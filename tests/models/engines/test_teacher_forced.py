"""One pass over finished texts: the logits before each token, and what vLLM says of the same."""

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from hm_models.engines.teacher_forced import logits_of, top_of
from hm_models.merged import HindsightMerged
from tests.models.tiny import tiny_checkpoint

PAIRS = [("w1 w2 w3", " w4 w5"), ("", "w6 w7 w8"), ("w1", ""), ("w1 w2 w3", " w9")]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    for seed, name in enumerate(("base", "instruct")):
        # vLLM's CPU kernels know no head smaller than 32.
        tiny_checkpoint(folder / name, seed, dtype=torch.float32, hidden_size=128)
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


@pytest.mark.slow
@pytest.mark.campaign
def test_vllms_log_probabilities_are_those_of_transformers(hf, pair, tmp_path):
    pytest.importorskip("vllm")
    from hm_metrics.entropy import TokenSums

    lm = HindsightMerged(
        **pair,
        backend="vllm",
        dtype="float32",  # of float32 vLLM makes bfloat16 by itself
        enforce_eager=True,
        kv_cache_memory_bytes=2**27,
        max_model_len=256,
    )
    own = list(top_of(lm.lm, PAIRS, 20))
    lm.engine.shut_down()
    for (logits, ids), (sampled, top) in zip(logits_of(hf, PAIRS), own, strict=True):
        log_p = torch.log_softmax(logits.double(), -1).numpy()
        assert sampled == pytest.approx(log_p[np.arange(len(ids)), ids], abs=1e-3)
        assert top.shape == (len(ids), 20)
        assert top == pytest.approx(
            -np.sort(-log_p, axis=1)[:, :20].reshape(len(ids), 20), abs=1e-3
        )
        exact, bounds = TokenSums.of_logits(logits, ids), TokenSums.of_top(sampled, top, 80)
        assert bounds.entropy_low - 1e-2 <= exact.entropy <= bounds.entropy_high + 1e-2
        assert math.isclose(bounds.surprisal, exact.surprisal, abs_tol=1e-2)
