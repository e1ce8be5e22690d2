"""transformers' sampling by rows: the distribution that it always was, and the harness's own texts."""

from collections import Counter

import pytest
import torch
from lm_eval.api.instance import Instance
from scipy.stats import chisquare
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

from hm_models.engines.sample_hf import SeededDraw
from hm_models.merged import HindsightMerged


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
        Instance("generate_until", {}, (prompt, gen_kwargs), 0, metadata=("task", doc, 1))
        for doc, prompt in enumerate(prompts)
    ]


@pytest.mark.parametrize("until", [[], ["w1"], ["w7 w", "4"], ["5 w1"]])
def test_greedy_texts_are_those_of_the_harnesss_own_loop(lm, until):
    ours = lm.generate_until(requests(until=until, do_sample=False), disable_tqdm=True)
    theirs = lm.lm.generate_until(requests(until=until, do_sample=False), disable_tqdm=True)
    assert ours == theirs
    assert len(set(ours)) > 2


def test_first_tokens_follow_temperature_and_top_p(lm):
    asked = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "max_gen_toks": 1}
    (request,) = requests(1, **asked)
    texts = lm.generate_until([request] * 600, disable_tqdm=True)
    prompt = lm.tokenizer(request.args[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        scores = lm.lm.model(prompt).logits[:, -1]
    warped = LogitsProcessorList([TemperatureLogitsWarper(0.7), TopPLogitsWarper(0.8)])(
        prompt, scores
    )
    chances: dict[str, float] = {}
    for token, chance in enumerate(warped.double().softmax(-1)[0].tolist()):
        text = lm.lm.tok_decode([token])  # several special tokens are the empty text
        chances[text] = chances.get(text, 0.0) + chance
    counts = Counter(texts)
    assert all(chances[text] > 0 for text in counts)
    kept = {text: 600 * chance for text, chance in chances.items() if chance}
    assert len(kept) > 3
    assert chisquare([counts[text] for text in kept], list(kept.values())).pvalue > 0.001


def test_a_prompt_without_room_is_refused_with_the_remedy(lm):
    with pytest.raises(ValueError, match=r"max_gen_toks=600 leaves no room .* 512 tokens"):
        lm.generate_until(requests(1, max_gen_toks=600, do_sample=False), disable_tqdm=True)
