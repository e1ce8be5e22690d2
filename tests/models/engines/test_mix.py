"""`MixedCausalLM`: two models' probabilities are mixed at every step, also within the harness.

The reference is the mixture computed by hand, in float64, from each model's own full forward pass.
"""

import math

import pytest
import torch
from lm_eval.models.huggingface import HFLM
from transformers import (
    AutoTokenizer,
    DynamicCache,
    GPT2Config,
    GPT2LMHeadModel,
)

from hm_models.engines.side_by_side.mix import MixedCausalLM
from tests.instances import instance
from tests.models.engines.side_by_side import (
    NEW,
    PROMPTS,
    STOP,
    encode,
    greedy,
    input_lengths,
    load,
)
from tests.models.tiny import tiny_checkpoint

ALPHA = 0.7
TOKENS = torch.arange(80).reshape(2, 40)
DRAWS = 4000


def mix(pair, alpha=ALPHA):
    return MixedCausalLM(base=pair[0], instruct=pair[1], alpha=alpha)


@pytest.fixture
def pair(base, instruct):
    return load(base), load(instruct)


@pytest.fixture
def mixed(pair):
    return mix(pair)


@pytest.fixture(scope="module")
def tokenizer(instruct):
    return AutoTokenizer.from_pretrained(instruct, padding_side="left")


def logits(model, tokens=TOKENS):
    with torch.no_grad():
        return model(tokens).logits


def by_hand(pair, tokens=TOKENS, alpha=ALPHA):
    """The mixture's probabilities, float64 [batch, tokens, vocabulary]."""
    base, instruct = (logits(model, tokens).double().softmax(-1) for model in pair)
    return alpha * instruct + (1 - alpha) * base


def averaged_logits(pair, tokens):
    """Not the mixture, but what could be taken for it."""
    base, instruct = (logits(model, tokens).double() for model in pair)
    return (ALPHA * instruct + (1 - ALPHA) * base).softmax(-1)


def greedy_by_hand(pair, tokens, probabilities=by_hand):
    """The new tokens of a loop that reads everything anew at each step."""
    new: list[int] = []
    while len(new) < NEW and new[-1:] != [STOP]:
        new.append(int(probabilities(pair, tokens)[0, -1].argmax()))
        tokens = torch.cat([tokens, torch.tensor([new[-1:]])], dim=-1)
    return new


# --- the distribution ----------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.01, 0.3, 0.7, 0.99])
def test_logits_are_the_logarithm_of_the_mixed_probabilities(pair, alpha):
    found = logits(mix(pair, alpha))
    torch.testing.assert_close(found.exp().double(), by_hand(pair, alpha=alpha), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        found.double(), by_hand(pair, alpha=alpha).log(), atol=1e-6, rtol=1e-6
    )


def test_a_token_that_both_models_rule_out_keeps_a_finite_logarithm(pair):
    for model in pair:
        model.lm_head.weight.data *= 20  # probabilities below the smallest float32
    found = logits(mix(pair))
    assert found.exp().min() == 0
    torch.testing.assert_close(found.double(), by_hand(pair).log(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("alpha", [0, 1, 0.0, 1.0])
def test_the_ends_are_one_models_own_and_the_other_does_not_run(pair, alpha):
    expected = torch.log_softmax(logits(pair[int(alpha)]), dim=-1)
    other = input_lengths(pair[1 - int(alpha)])
    assert torch.equal(logits(mix(pair, alpha)), expected)
    assert other == []


def test_alpha_may_be_set_after_construction(pair, mixed):
    mixed.alpha = 0.2
    found = logits(mixed).exp().double()
    torch.testing.assert_close(found, by_hand(pair, alpha=0.2), atol=1e-6, rtol=0)


def test_a_bfloat16_pair_is_mixed_in_float32(base, instruct):
    pair = load(base, torch.bfloat16), load(instruct, torch.bfloat16)
    found = logits(mix(pair))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.exp().double(), by_hand(pair), atol=1e-6, rtol=0)


# --- the caches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0, ALPHA, 1])
def test_steps_through_the_caches_give_what_one_pass_gives(pair, alpha):
    mixed, whole, past, steps = mix(pair, alpha), logits(mix(pair, alpha)), None, []
    with torch.no_grad():
        for step in (TOKENS[:, :5], *TOKENS[:, 5:].split(1, dim=1)):
            output = mixed(step, past_key_values=past, use_cache=True)
            past = output.past_key_values
            steps.append(output.logits)
    assert past.get_seq_length() == TOKENS.shape[1]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, atol=1e-4, rtol=0)


def test_generation_feeds_each_model_one_new_token_a_step(pair, mixed, tokenizer):
    lengths = [input_lengths(model) for model in pair]
    greedy(mixed, encode(tokenizer, PROMPTS[0]), min_new_tokens=NEW)
    assert lengths == [[3] + [1] * (NEW - 1)] * 2


def test_generation_computes_the_logits_of_the_last_token_only(pair, mixed, tokenizer):
    widths: list[int] = []
    for model in pair:
        model.lm_head.register_forward_pre_hook(
            lambda module, inputs: widths.append(inputs[0].shape[1])
        )
    greedy(mixed, encode(tokenizer, PROMPTS[0]))
    assert set(widths) == {1}


def test_without_a_cache_the_text_is_the_same_and_everything_is_read_anew(pair, mixed, tokenizer):
    inputs = encode(tokenizer, PROMPTS[0])
    expected = greedy(mixed, inputs)
    lengths = [input_lengths(model) for model in pair]
    assert greedy(mixed, inputs, use_cache=False) == expected
    assert lengths == [list(range(3, 3 + len(expected[0])))] * 2


def test_both_caches_follow_the_beams(mixed, tokenizer):
    inputs = encode(tokenizer, *PROMPTS)
    beams = greedy(mixed, inputs, num_beams=4)
    assert beams == greedy(mixed, inputs, num_beams=4, use_cache=False)
    assert beams != greedy(mixed, inputs)


@pytest.mark.parametrize("made_at", [0, 1, None])
def test_a_cache_of_other_models_is_refused(pair, mixed, made_at):
    past = DynamicCache()
    if made_at is not None:
        past = mix(pair, made_at)(TOKENS, use_cache=True).past_key_values
    with pytest.raises(ValueError, match=r"must hold the caches of \['base', 'instruct'\]"):
        mixed(TOKENS[:, :1], past_key_values=past)


# --- generation ----------------------------------------------------------------------------------


def test_greedy_texts_are_those_of_a_loop_that_mixes_probabilities(pair, mixed, tokenizer):
    inputs = [encode(tokenizer, prompt) for prompt in PROMPTS]
    expected = [greedy_by_hand(pair, one["input_ids"]) for one in inputs]
    assert [greedy(mixed, one)[0] for one in inputs] == expected
    # Nothing simpler gives these texts.
    assert [greedy_by_hand(pair, one["input_ids"], averaged_logits) for one in inputs] != expected
    for model in pair:
        assert [greedy(model, one)[0] for one in inputs] != expected


def test_a_left_padded_batch_answers_as_its_prompts_alone(mixed, tokenizer):
    inputs = encode(tokenizer, *PROMPTS)
    assert inputs["attention_mask"].sum(-1).tolist() == [3, 2, 5]
    assert greedy(mixed, inputs) == [greedy(mixed, encode(tokenizer, one))[0] for one in PROMPTS]


def nucleus(probabilities, temperature, top_p):
    """The distribution that temperature and then top-p make of one, by hand."""
    tempered = probabilities ** (1 / temperature)
    ordered, order = (tempered / tempered.sum()).sort(descending=True)
    kept = torch.where(ordered.cumsum(0) - ordered < top_p, ordered, 0)
    return torch.zeros_like(kept).scatter(0, order, kept / kept.sum())


def chi_square(counts, probabilities):
    """Pearson's statistic, in standard deviations above its mean; rare tokens share one cell."""
    expected = DRAWS * probabilities
    common = expected >= 5
    cells = [(counts[common], expected[common])]
    if expected[~common].sum() >= 5:
        cells.append((counts[~common].sum()[None], expected[~common].sum()[None]))
    elif counts[~common].sum() > 20:
        return math.inf
    statistic = sum(float(((seen - mean) ** 2 / mean).sum()) for seen, mean in cells)
    freedom = sum(len(seen) for seen, _ in cells) - 1
    return (statistic - freedom) / math.sqrt(2 * freedom)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (1.5, 0.8)])
def test_sampled_tokens_follow_the_mixture(pair, mixed, tokenizer, temperature, top_p):
    inputs = encode(tokenizer, PROMPTS[0])
    torch.manual_seed(0)
    drawn = mixed.generate(
        **inputs,
        do_sample=True,
        temperature=temperature,
        top_p=top_p,
        top_k=0,
        max_new_tokens=1,
        num_return_sequences=DRAWS,
    )
    counts = torch.bincount(drawn[:, -1], minlength=80).double()
    tokens = inputs["input_ids"]
    of_each = [nucleus(by_hand(pair, tokens, a)[0, -1], temperature, top_p) for a in (0, 1)]
    assert chi_square(counts, nucleus(by_hand(pair, tokens)[0, -1], temperature, top_p)) < 4
    for other in (
        *of_each,
        nucleus(averaged_logits(pair, tokens)[0, -1], temperature, top_p),
        nucleus(by_hand(pair, tokens, ALPHA + 0.1)[0, -1], temperature, top_p),
        # Temperature and top-p on the mixture are not a mixture of tempered models.
        *([] if top_p == 1 else [ALPHA * of_each[1] + (1 - ALPHA) * of_each[0]]),
    ):
        assert chi_square(counts, other) > 6


def test_a_pair_of_two_architectures_is_mixed_and_padded_as_one(pair, tokenizer):
    # GPT-2 learns absolute positions, so that padding which is counted would show.
    torch.manual_seed(5)
    sizes = {"vocab_size": 80, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}
    config = GPT2Config(**sizes, initializer_range=0.4, bos_token_id=0, eos_token_id=STOP)
    pair = GPT2LMHeadModel(config).eval(), pair[1]
    mixed = mix(pair, 0.5)
    expected = [
        greedy_by_hand(pair, encode(tokenizer, one)["input_ids"], lambda *at: by_hand(*at, 0.5))
        for one in PROMPTS
    ]
    assert greedy(mixed, encode(tokenizer, *PROMPTS)) == expected
    for model in pair:
        assert greedy(model, encode(tokenizer, *PROMPTS)) != expected


def test_stop_tokens_are_the_instruct_models(pair, tokenizer):
    inputs = encode(tokenizer, PROMPTS[0])
    pair[1].generation_config.eos_token_id = list(range(80))
    assert mix(pair).generate(**inputs, max_new_tokens=NEW).shape[1] == 4


# --- within the harness --------------------------------------------------------------------------


@pytest.fixture
def lm(mixed, tokenizer):
    return HFLM(pretrained=mixed, tokenizer=tokenizer, batch_size=3)


def ask(lm, **generation):
    settings = {"until": [], "max_gen_toks": NEW} | generation
    requests = [
        instance("generate_until", {}, (prompt, settings), number)
        for number, prompt in enumerate(PROMPTS)
    ]
    return lm.generate_until(requests, disable_tqdm=True)


def test_greedy_texts_of_the_harness_are_those_of_the_loop(lm, pair, tokenizer):
    new = [greedy_by_hand(pair, encode(tokenizer, prompt)["input_ids"]) for prompt in PROMPTS]
    expected = tokenizer.batch_decode(new, skip_special_tokens=True)
    assert ask(lm, do_sample=False) == expected
    assert len(set(expected)) == len(PROMPTS)


def test_sampling_settings_of_the_harness_reach_the_mixture(lm, mixed, tokenizer):
    # The harness asks for its longest prompt first.
    order = sorted(range(len(PROMPTS)), key=lambda n: -len(PROMPTS[n].split()))
    settings = {"do_sample": True, "temperature": 1.5, "top_p": 0.9}
    torch.manual_seed(3)
    texts = ask(lm, **settings)
    torch.manual_seed(3)
    inputs = encode(tokenizer, *(PROMPTS[n] for n in order))
    new = mixed.generate(**inputs, max_new_tokens=NEW, **settings)[:, 5:]
    expected = tokenizer.batch_decode(new, skip_special_tokens=True)
    assert [texts[n] for n in order] == expected
    assert texts != ask(lm, do_sample=False)


def test_log_likelihoods_of_the_harness_are_the_mixtures(lm, pair, tokenizer):
    asked = [("w1 w2", " w3 w4 w5"), ("w40", " w41"), ("w7 w7 w7", " w8 w9")]
    found = lm.loglikelihood(
        [instance("loglikelihood", {}, args, number) for number, args in enumerate(asked)],
        disable_tqdm=True,
    )
    for (context, continuation), (value, is_greedy) in zip(asked, found, strict=True):
        tokens = encode(tokenizer, context + continuation)["input_ids"]
        start = len(context.split())
        rows, targets = by_hand(pair, tokens)[0, start - 1 : -1], tokens[0, start:]
        expected = rows.gather(-1, targets[:, None]).log().sum()
        assert value == pytest.approx(float(expected), abs=1e-4)
        assert is_greedy == torch.equal(rows.argmax(-1), targets)


def test_a_greedy_continuation_is_seen_as_such(lm, pair, tokenizer):
    new = greedy_by_hand(pair, encode(tokenizer, PROMPTS[0])["input_ids"])[:2]
    request = instance("loglikelihood", {}, (PROMPTS[0], " " + tokenizer.decode(new)), 0)
    ((_, is_greedy),) = lm.loglikelihood([request], disable_tqdm=True)
    assert is_greedy


# --- the two models ------------------------------------------------------------------------------


def test_the_two_models_are_held_and_left_as_they_are(pair, tokenizer):
    before = [
        (logits(model), model.config.to_dict(), model.generation_config.to_dict(), attention(model))
        for model in pair
    ]
    mixed = mix(pair)
    HFLM(pretrained=mixed, tokenizer=tokenizer)
    mixed.generation_config.top_k = 7
    assert (mixed.base, mixed.instruct) == pair
    for model, (values, config, generation, attends) in zip(pair, before, strict=True):
        assert torch.equal(logits(model), values)
        assert model.config.to_dict() == config
        assert model.generation_config.to_dict() == generation
        assert attention(model) == attends == "sdpa"


def attention(model):
    return model.config._attn_implementation


def test_a_tied_model_stays_tied_beside_an_untied_one(tmp_path, instruct, tokenizer):
    pair = load(tiny_checkpoint(tmp_path / "tied", 3, tied=True)), load(instruct)
    HFLM(pretrained=mix(pair), tokenizer=tokenizer)
    assert pair[0].lm_head.weight is pair[0].model.embed_tokens.weight
    assert pair[1].lm_head.weight is not pair[1].model.embed_tokens.weight


def test_mode_and_dtype_reach_both_models(pair, mixed):
    mixed.train()
    mixed.eval().to(torch.bfloat16)
    assert mixed.device == torch.device("cpu")
    assert [(model.dtype, model.training) for model in pair] == [(torch.bfloat16, False)] * 2


def test_different_vocabulary_sizes_are_refused_with_both_and_the_remedy(tmp_path, instruct):
    wider = load(tiny_checkpoint(tmp_path / "wider", 3, rows=84))
    with pytest.raises(ValueError, match="to 84 tokens and instruct to 80") as refusal:
        MixedCausalLM(base=wider, instruct=load(instruct), alpha=ALPHA)
    assert "resize_token_embeddings(len(tokenizer))" in str(refusal.value)
