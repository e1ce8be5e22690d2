"""transformers' sampling by rows: the distribution that it always was, and the harness's own texts."""

import json

import pytest
import torch
from scipy.stats import chisquare

from hm_models.engines.sample_hf import SeededDraw
from hm_models.merged import HindsightMerged
from tests.instances import instance
from tests.models.engines.drawn_by_hand import SAMPLERS, chances_of, check_texts
from tests.models.tiny import copy_of


def draws(logits, seeds):
    """One token for each seed."""
    scores = logits.expand(len(seeds), -1)
    return SeededDraw(seeds)(torch.zeros(len(seeds), 1, dtype=torch.long), scores).argmax(-1)


def test_tokens_are_drawn_with_their_probabilities():
    logits = torch.randn(1, 12, generator=torch.Generator().manual_seed(0)) * 2
    counts = torch.bincount(draws(logits, range(20_000)), minlength=12)
    expected = logits.double().softmax(-1)[0] * 20_000
    assert chisquare(counts.numpy(), expected.numpy()).pvalue > 0.001


def test_a_token_without_probability_is_never_drawn():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 1.0, -torch.inf]])
    assert set(draws(logits, range(5000)).tolist()) == {1, 3}


def test_the_draws_of_a_row_follow_its_seed_alone():
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    ids = torch.zeros(3, 1, dtype=torch.long)
    together, alone = SeededDraw([5, 6, 7]), SeededDraw([6])
    for _ in range(20):
        rows = together(ids, logits).argmax(-1)
        assert rows[1] == alone(ids[:1], logits[1:2]).argmax(-1)[0]


def test_only_the_drawn_token_is_left_for_transformers_to_draw():
    left = SeededDraw([1, 2])(torch.zeros(2, 1, dtype=torch.long), torch.randn(2, 9))
    assert torch.isfinite(left).sum(-1).tolist() == [1, 1]


@pytest.fixture(scope="module")
def lm(base, instruct):
    return HindsightMerged(
        base=str(base), instruct=str(instruct), alpha=0.7, backend="hf", device="cpu", dtype="float32",
        prompt_style="completion", batch_size=5,
    )  # fmt: skip


def requests(count=7, **gen_kwargs):
    gen_kwargs = {"until": [], "max_gen_toks": 24} | gen_kwargs
    prompts = [" ".join(f"w{n + i}" for i in range(n % 4 + 1)) for n in range(count)]
    return [
        instance("generate_until", {}, (prompt, gen_kwargs), 0, metadata=("task", doc, 1))
        for doc, prompt in enumerate(prompts)
    ]


@pytest.mark.parametrize("until", [[], ["w1"], ["w7 w", "4"], ["5 w1"]])
def test_greedy_texts_are_those_of_the_harnesss_own_loop(lm, until):
    ours = lm.generate_until(requests(until=until, do_sample=False), disable_tqdm=True)
    theirs = lm.lm.generate_until(requests(until=until, do_sample=False), disable_tqdm=True)
    assert ours == theirs
    assert len(set(ours)) > 2


@pytest.mark.parametrize("name", SAMPLERS)
def test_first_tokens_follow_each_sampler_by_its_definition(lm, name):
    asked = {"do_sample": True, "max_gen_toks": 1} | SAMPLERS[name]
    (request,) = requests(4, **asked)[3:]  # whose prompt has several tokens to be penalised
    texts = lm.generate_until([request] * 600, disable_tqdm=True)
    prompt = lm.tokenizer(request.args[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = lm.lm.model(prompt).logits[0, -1]
    chances = chances_of(logits.numpy(), SAMPLERS[name], seen=prompt[0].tolist())
    check_texts(texts, chances, lambda token: lm.lm.tok_decode([token]))


def test_samplers_that_a_checkpoint_names_are_not_taken(base, instruct, tmp_path):
    theirs = copy_of(instruct, tmp_path / "theirs")
    own = {"typical_p": 0.1, "min_p": 0.9, "top_k": 1, "do_sample": True}
    (theirs / "generation_config.json").write_text(json.dumps(own))
    asked = requests(3, do_sample=True, temperature=1.5)
    texts = [
        HindsightMerged(
            base=str(base), instruct=str(folder), alpha=0.7, backend="hf", device="cpu"
        ).generate_until(asked, disable_tqdm=True)
        for folder in (instruct, theirs)
    ]
    assert texts[0] == texts[1]


def test_a_prompt_without_room_is_refused_with_the_remedy(lm):
    with pytest.raises(ValueError, match=r"max_gen_toks=600 leaves no room .* 512 tokens"):
        lm.generate_until(requests(1, max_gen_toks=600, do_sample=False), disable_tqdm=True)
