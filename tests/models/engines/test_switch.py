"""`SwitchedCausalLM` and `merge_method=switch`: two models take turns, each row by its own tokens.

The reference is a loop over two plain models that reads everything anew at each token, without caches,
batches or padding, and that tells turns apart in its own way.
"""

import random

import pytest
import torch
from transformers import AutoTokenizer

from hm_models.engines.side_by_side.switch import SwitchedCausalLM
from hm_models.errors import RecipeError
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.schedule import Schedule
from hm_models.merge.stream import merged_tensors
from hm_models.merged import HindsightMerged
from hm_models.samples.key import jobs_of
from tests.instances import instance
from tests.models.engines.side_by_side import (
    NEW,
    STOP,
    encode,
    greedy,
    input_lengths,
    load,
    until_stop,
)
from tests.models.tiny import TOKENS, tiny_checkpoint

MARKS = ("", ".", "", "?", "", "!")
# Words with marks and line ends, so that there are sentences.
TALK = (*TOKENS[:5], "\n", "\n\n", *(f"w{n}{MARKS[n % 6]}" for n in range(73)))
PROMPTS = ("w2 w4 w3?", "w38 w40", "w6 w6 w6 w7. w12")
RULES = (
    {"every": 1},
    {"every": 3},
    {"every": 100},
    {"at": "sentence"},
    {"probability": 0},
    {"probability": 0.3},
    {"probability": 1},
)
named = pytest.mark.parametrize("params", RULES, ids=str)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk")
    options = {"tokens": TALK, "dtype": torch.float32}
    return [
        tiny_checkpoint(folder / name, seed, **options)
        for seed, name in ((1, "base"), (2, "instruct"))
    ]


@pytest.fixture
def pair(folders):
    return [load(folder) for folder in folders]


@pytest.fixture(scope="module")
def tokenizer(folders):
    return AutoTokenizer.from_pretrained(folders[1], padding_side="left")


@pytest.fixture
def switched(pair, tokenizer):
    def switched(params, first=pair[0], second=pair[1]):
        rule = Schedule.of(params)
        return SwitchedCausalLM(first, second, second, rule, tokenizer.decode)

    return switched


def is_over(params, turn, draws):
    """Whether a turn is over, told without the project's code."""
    if "every" in params:
        return len(turn) % params["every"] == 0
    if "probability" in params:
        return draws.random() < params["probability"]
    text = " ".join(TALK[token] for token in turn)
    if any(mark + " " in text for mark in ".?!"):
        return True
    return "\n" in text and bool(text[: text.rindex("\n")].strip())


def most_likely(logits):
    return int(logits.argmax())


def by_hand(pair, tokens, params, seed=0, pick=most_likely, new=NEW):
    """The new tokens of one row, and who said each."""
    draws = random.Random(f"turns of {seed}")
    side, turn, said, row = 0, [], [], list(tokens)
    while len(said) < new and (not said or said[-1][0] != STOP):
        with torch.no_grad():
            logits = pair[side](torch.tensor([row])).logits[0, -1]
        token = pick(logits)
        said.append((token, side))
        row.append(token)
        turn.append(token)
        if is_over(params, turn, draws):
            side, turn = 1 - side, []
    return [token for token, _ in said], [who for _, who in said]


def ids(tokenizer, prompt):
    return tokenizer(prompt)["input_ids"]


# --- generation ----------------------------------------------------------------------------------


@named
def test_a_left_padded_batch_answers_as_the_slow_loop_does_for_each_prompt(
    pair, switched, tokenizer, params
):
    inputs = encode(tokenizer, *PROMPTS)
    assert len(set(inputs["attention_mask"].sum(-1).tolist())) > 1
    found = greedy(switched(params), inputs, switch_seeds=[5, 6, 7])
    expected = [
        by_hand(pair, ids(tokenizer, prompt), params, seed)[0]
        for prompt, seed in zip(PROMPTS, (5, 6, 7), strict=True)
    ]
    assert found == expected


def test_the_prompts_make_every_rule_show(pair, tokenizer):
    texts = {}
    for params in RULES:
        rows = [by_hand(pair, ids(tokenizer, prompt), params, 5) for prompt in PROMPTS]
        texts[str(params)] = str([tokens for tokens, _ in rows])
        lone = params in ({"every": 100}, {"probability": 0})
        assert any(1 in who for _, who in rows) != lone
    # Whatever never changes speaks as the first; whatever always does alternates.
    assert texts["{'every': 100}"] == texts["{'probability': 0}"]
    assert texts["{'every': 1}"] == texts["{'probability': 1}"]
    assert len(set(texts.values())) == len(RULES) - 2


@named
def test_two_equal_models_that_take_turns_answer_as_the_one(pair, switched, tokenizer, params):
    inputs = encode(tokenizer, *PROMPTS)
    model = switched(params, first=pair[1], second=load(pair[1].name_or_path))
    assert greedy(model, inputs) == greedy(pair[1], inputs)


@named
def test_without_a_cache_the_texts_are_the_same(switched, tokenizer, params):
    inputs, seeds = encode(tokenizer, *PROMPTS), [5, 6, 7]
    model = switched(params)
    expected = greedy(model, inputs, switch_seeds=seeds)
    assert greedy(model, inputs, switch_seeds=seeds, use_cache=False) == expected


@named
def test_each_rows_logits_are_its_speakers_own(pair, switched, tokenizer, params):
    inputs = encode(tokenizer, *PROMPTS)
    output = switched(params).generate(
        **inputs, max_new_tokens=NEW, do_sample=False, switch_seeds=[5, 6, 7],
        output_logits=True, return_dict_in_generate=True, eos_token_id=None,
    )  # fmt: skip
    start = inputs["input_ids"].shape[1]
    for row, (prompt, seed) in enumerate(zip(PROMPTS, (5, 6, 7), strict=True)):
        tokens = [*ids(tokenizer, prompt), *output.sequences[row, start:].tolist()]
        draws, side, turn = random.Random(f"turns of {seed}"), 0, []
        for step, token in enumerate(tokens[-NEW:]):
            with torch.no_grad():
                expected = pair[side](torch.tensor([tokens[: len(tokens) - NEW + step]])).logits
            found = output.logits[step][row]
            torch.testing.assert_close(found, expected[0, -1], atol=1e-4, rtol=0)
            turn.append(token)
            if is_over(params, turn, draws):
                side, turn = 1 - side, []


def test_a_model_reads_what_the_other_said_in_one_pass_when_its_turn_comes(
    pair, switched, tokenizer
):
    lengths = [input_lengths(model) for model in pair]
    greedy(switched({"every": 4}), encode(tokenizer, PROMPTS[0]), min_new_tokens=NEW)
    assert lengths == [[3, 1, 1, 1, 5, 1, 1, 1], [7, 1, 1, 1]]


def test_a_model_that_never_speaks_never_runs(pair, switched, tokenizer):
    idle = input_lengths(pair[1])
    greedy(switched({"every": 100}), encode(tokenizer, *PROMPTS))
    assert idle == []


def test_stop_tokens_are_those_of_both_models(pair, switched, tokenizer):
    inputs = encode(tokenizer, PROMPTS[0])
    said, _ = by_hand(pair, ids(tokenizer, PROMPTS[0]), {"every": 1})
    pair[0].generation_config.eos_token_id = said[2]
    pair[1].generation_config.eos_token_id = [STOP, said[4]]
    model = switched({"every": 1})
    assert model.generation_config.eos_token_id == [STOP, said[4], said[2]]
    assert pair[1].generation_config.eos_token_id == [STOP, said[4]]
    first = min(said.index(stop) for stop in (said[2], said[4]))
    assert greedy(model, inputs) == [said[: first + 1]]


def test_beams_are_refused(switched, tokenizer):
    with pytest.raises(ValueError, match="num_beams above 1 compares whole answers"):
        greedy(switched({"every": 2}), encode(tokenizer, PROMPTS[0]), num_beams=2)


def test_a_text_that_is_given_has_no_logits(switched):
    with pytest.raises(ValueError, match="only while a text is generated"):
        switched({"every": 2})(torch.tensor([[5, 6, 7]]))


# --- within the harness --------------------------------------------------------------------------


@pytest.fixture
def model(folders, tmp_path):
    def model(params, **arguments):
        arguments = {"device": "cpu", "dtype": "float32", "prompt_style": "completion"} | arguments
        lm = HindsightMerged(
            base=str(folders[0]), instruct=str(folders[1]), merge_method="switch",
            merge_params=params, **arguments,
        )  # fmt: skip
        lm.keep_samples_in(tmp_path / "samples")
        return lm

    return model


def asked(n=4, prompts=PROMPTS, **gen_kwargs):
    gen_kwargs = {"until": [], "max_gen_toks": NEW} | gen_kwargs
    requests = [
        instance("generate_until", {}, (prompt, gen_kwargs), 0, metadata=("task", doc, n))
        for doc, prompt in enumerate(prompts)
    ]
    return [request for request in requests for _ in range(n)]


SAMPLED = {"do_sample": True, "temperature": 1.0}
GREEDY = {"do_sample": False}


def answers(lm, requests):
    return lm.generate_until(requests, disable_tqdm=True)


def drawn_by(seed):
    """Draws as a sample of this seed does, without the project's code."""
    draws = random.Random(seed)

    def pick(logits):
        chances = logits.double().softmax(-1).cumsum(-1).tolist()
        point = draws.random() * chances[-1]
        return next(token for token, upto in enumerate(chances) if upto > point)

    return pick


@named
@pytest.mark.parametrize("batch_size", [1, 5])
def test_samples_are_those_of_the_slow_loop_whatever_their_batch(
    model, pair, tokenizer, params, batch_size
):
    lm = model(params, batch_size=batch_size)
    requests = asked(**SAMPLED)
    jobs = jobs_of(requests, lm.sampling.model, lm.sampling_seed)
    expected = []
    for job in jobs:
        tokens, _ = by_hand(
            pair, ids(tokenizer, job.prompt), params, job.seed, pick=drawn_by(job.seed)
        )
        expected.append(tokenizer.decode(until_stop(tokens), skip_special_tokens=True))
    assert answers(lm, requests) == expected
    assert len(set(expected)) > 9


@named
def test_greedy_answers_are_one_unless_the_rule_draws(model, pair, tokenizer, params):
    lm = model(params, batch_size=3)
    requests = asked(n=6, **GREEDY)
    found = answers(lm, requests)
    asked_for = {job.key: (job, []) for job in jobs_of(requests, lm.sampling.model, 0)}
    for job, text in zip(jobs_of(requests, lm.sampling.model, 0), found, strict=True):
        asked_for[job.key][1].append(text)
    for job, texts in asked_for.values():
        tokens, _ = by_hand(pair, ids(tokenizer, job.prompt), params, job.seed)
        assert set(texts) == {tokenizer.decode(until_stop(tokens), skip_special_tokens=True)}
    assert (len(set(found)) > len(PROMPTS)) == (params == {"probability": 0.3})


def test_the_order_of_requests_changes_no_sample(model, tmp_path):
    requests = asked(**SAMPLED)
    lm = model({"probability": 0.3}, batch_size=5)
    found = answers(lm, requests)
    other = model({"probability": 0.3}, batch_size=2)
    other.keep_samples_in(tmp_path / "others")
    by_prompt = {r.args[0]: r for r in requests}
    backwards = [by_prompt[prompt] for prompt in reversed(PROMPTS) for _ in range(4)]
    again = answers(other, backwards)
    assert [again[8:], again[4:8], again[:4]] == [found[:4], found[4:8], found[8:]]


def test_a_run_that_goes_on_generates_only_what_is_missing(model, tmp_path):
    params = {"probability": 0.3}
    whole = model(params, batch_size=4)
    whole.keep_samples_in(tmp_path / "whole")
    expected = answers(whole, asked(n=6, **SAMPLED))
    answers(model(params, batch_size=4), asked(n=2, **SAMPLED))
    rest = model(params, batch_size=3)
    assert rest.known(asked(n=6, **SAMPLED)) == 6
    assert answers(rest, asked(n=6, **SAMPLED)) == expected
    done = model(params)
    assert answers(done, asked(n=6, **SAMPLED)) == expected
    assert not done.engine.is_loaded


@pytest.mark.parametrize(
    "other", [{"every": 4}, {"every": 3, "alphas": [1, 0]}, {"every": 3, "alphas": [0, 0.9]}]
)
def test_another_rule_finds_nothing(model, other):
    requests = asked(**SAMPLED)
    answers(model({"every": 3}, batch_size=12), requests)
    assert model({"every": 3, "alphas": [0, 1]}).known(requests) == len(requests)
    assert model(other).known(requests) == 0


def merged_at(folders, alpha):
    """A plain transformers model with the weights of the merge."""
    model = load(folders[1])
    model.load_state_dict(dict(merged_tensors(MergeRecipe(*map(str, folders), alpha))))
    return model


@pytest.mark.parametrize("alphas", [[0.2, 1.0], [1, 0], [0.9, 0.3]], ids=str)
def test_two_alphas_speak_in_the_order_in_which_they_stand(model, folders, tokenizer, alphas):
    params = {"alphas": alphas, "every": 3}
    found = answers(model(params), asked(n=1, **GREEDY))
    pair = [load(folders[int(a)]) if a in (0, 1) else merged_at(folders, a) for a in alphas]
    said = [by_hand(pair, ids(tokenizer, prompt), {"every": 3})[0] for prompt in PROMPTS]
    assert found == [tokenizer.decode(until_stop(one), skip_special_tokens=True) for one in said]


def test_a_stop_string_ends_a_row_and_leaves_the_others(model):
    whole = answers(model({"every": 2}, batch_size=3), asked(n=1, **GREEDY))
    stop = whole[0].split()[3]
    cut = answers(model({"every": 2}, batch_size=3), asked(n=1, **GREEDY | {"until": [stop]}))
    assert cut == [text.split(stop)[0] for text in whole]
    assert cut[0] != whole[0]


def test_prompts_are_the_instruct_models_chat(model):
    lm = model({"every": 2}, prompt_style="auto")
    assert lm.prompt_style == "chat"
    requests = asked(n=1, **GREEDY)
    answers(lm, requests)
    assert requests[0].args[0] == f"<user> {PROMPTS[0]} <assistant> "


def test_results_say_the_rule_in_full(model):
    merge = model('{"every": 16}').get_model_info()["merge"]
    assert merge["merge_method"] == "switch"
    assert merge["merge_params"] == {"alphas": [0.0, 1.0], "every": 16}
    assert merge["alpha"] is None
    assert merge["weights"] == "both models"


def test_the_recipe_of_a_result_makes_the_same_model_again(model):
    recipe = model({"probability": 0.3}).recipe
    assert MergeRecipe(**recipe.to_dict()).fingerprint() == recipe.fingerprint()


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["loglikelihood", "loglikelihood_rolling"])
def test_log_likelihoods_are_refused_before_anything_is_loaded(model, kind):
    lm = model({"every": 2})
    args = ("w2", " w4")[: 2 if kind == "loglikelihood" else 1]
    with pytest.raises(RecipeError, match=r"a text that is given.*merge_method=mix"):
        getattr(lm, kind)([instance(kind, {}, args, 0)])
    assert not lm.engine.is_loaded


@pytest.mark.parametrize("loaded", [False, True])
def test_another_alpha_is_refused_and_changes_nothing(model, loaded):
    lm = model({"every": 2})
    before = lm.get_model_info()
    found = answers(lm, asked(n=1, **GREEDY)) if loaded else None
    with pytest.raises(RecipeError, match=r'alpha=0\.5: .*takes no alpha.*"alphas": \[0, 1\]'):
        lm.set_alpha(0.5)
    assert lm.get_model_info() == before
    if loaded:
        assert answers(lm, asked(n=1, **GREEDY)) == found


def test_an_alpha_beside_the_rule_is_refused(model):
    with pytest.raises(RecipeError, match=r"alpha=0\.7: merge_method=switch takes no alpha"):
        model({"every": 2}, alpha=0.7)


@pytest.mark.parametrize(
    "other", [{"backend": "vllm"}, {"materialize": True}, {"keep_resident": True}]
)
def test_what_needs_one_model_is_refused(model, other):
    with pytest.raises(RecipeError, match=r"merge_method=switch runs two models.* backend=hf "):
        model({"every": 2}, **other)


def test_a_wrong_rule_is_refused_before_a_checkpoint_is_opened():
    with pytest.raises(RecipeError, match="every=0: expected a whole number"):
        MergeRecipe("no", "such", merge_method="switch", merge_params='{"every": 0}')


def test_tokens_in_other_rows_are_refused_where_the_base_itself_speaks(folders, tmp_path):
    moved = (*TALK[:10], TALK[11], TALK[10], *TALK[12:])
    base = tiny_checkpoint(tmp_path / "moved", 1, tokens=moved, dtype=torch.float32)
    pair = {"base": str(base), "instruct": str(folders[1]), "merge_method": "switch"}
    with pytest.raises(RecipeError, match="merge_method=switch needs the same tokens"):
        HindsightMerged(**pair, merge_params={"every": 2})
    # A merge has the instruct model's rows.
    lm = HindsightMerged(**pair, merge_params={"every": 2, "alphas": [0.2, 1]}, device="cpu")
    assert answers(lm, asked(n=1, **GREEDY))


def test_different_vocabulary_sizes_are_refused_with_both_sides(tmp_path, pair):
    wider = load(tiny_checkpoint(tmp_path / "wider", 3, rows=84))
    rule = Schedule.of({"every": 2})
    with pytest.raises(ValueError, match="first gives a probability to 84 tokens and second to 80"):
        SwitchedCausalLM(wider, pair[1], pair[1], rule, str)
