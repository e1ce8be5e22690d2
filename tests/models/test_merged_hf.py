"""`hm-merged` on transformers: the streamed merge answers as the same merge loaded from disk.

The reference is transformers itself: `AutoModelForCausalLM` on the materialised checkpoint, or on
one of the pair at alpha 0 and 1, and its own `generate` and `apply_chat_template`.
"""

import copy
import itertools
import json

import pytest
import torch
from lm_eval.api.instance import Instance
from transformers import AutoModelForCausalLM, AutoTokenizer

from hm_models.checkpoints.checkpoint import Checkpoint, CheckpointError
from hm_models.files.places import cache_folder
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe, RecipeError
from hm_models.merge.writer import materialise
from hm_models.merged import HindsightMerged
from tests.instances import instance
from tests.models.noting_request import NotingRequest
from tests.models.tiny import copy_of, tiny_checkpoint

QUESTIONS = ("w1 w2 w3", "w40 w41", "w7 w7 w7 w8")
GREEDY = {"until": [], "do_sample": False, "max_gen_toks": 12}


def load(base, instruct, alpha=0.7, **arguments):
    arguments = {"backend": "hf", "device": "cpu"} | arguments
    return HindsightMerged(base=str(base), instruct=str(instruct), alpha=alpha, **arguments)


def requests_for(questions=QUESTIONS, kind=Instance, **generation):
    return [
        instance("generate_until", {}, (question, GREEDY | generation), number, made_as=kind)
        for number, question in enumerate(questions)
    ]


def as_user_turn(folder, question):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )


def text_by_transformers(folder, prompt):
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    tokens = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0]
    return tokenizer.decode(tokens[inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def logits(model):
    with torch.no_grad():
        return model(torch.arange(80)[None]).logits


def materialised(base, instruct, alpha=0.7):
    recipe = MergeRecipe(base=str(base), instruct=str(instruct), alpha=alpha)
    return materialise(recipe, plan_merge(recipe))


@pytest.fixture(scope="module")
def streamed(base, instruct):
    """The pair at alpha 0.7, nothing on disk; its requests do not change it."""
    return load(base, instruct)


# --- the weights ------------------------------------------------------------------------------


def test_greedy_texts_of_the_stream_are_those_of_the_merge_on_disk(streamed, base, instruct):
    folder = materialised(base, instruct)
    texts = streamed.generate_until(requests_for(), disable_tqdm=True)
    expected = [text_by_transformers(folder, as_user_turn(instruct, q)) for q in QUESTIONS]
    assert streamed.engine.weights == "streamed"
    assert texts == expected
    assert len(set(texts)) == len(QUESTIONS)  # the texts do depend on the prompt


def test_streamed_materialised_and_loaded_logits_are_equal(streamed, base, instruct):
    written = load(base, instruct, materialize=True)
    assert written.engine.weights == "materialised"
    loaded = AutoModelForCausalLM.from_pretrained(materialised(base, instruct))
    assert torch.equal(logits(streamed.lm.model), logits(loaded))
    assert torch.equal(logits(written.lm.model), logits(loaded))


@pytest.mark.parametrize("alpha", [0, 1])
def test_the_ends_answer_as_the_plain_checkpoints(base, instruct, alpha):
    lm = load(base, instruct, alpha)
    side = instruct if alpha else base
    assert lm.engine.weights == "checkpoint"
    assert torch.equal(logits(lm.lm.model), logits(AutoModelForCausalLM.from_pretrained(side)))
    prompts = [as_user_turn(side, q) if alpha else q for q in QUESTIONS]
    expected = [text_by_transformers(side, prompt) for prompt in prompts]
    assert lm.generate_until(requests_for(), disable_tqdm=True) == expected


def test_alpha_shapes_the_answer(base, instruct):
    weights = [load(base, instruct, alpha).lm.model for alpha in (0, 0.3, 0.7, 1)]
    found = [logits(model) for model in weights]
    assert not any(torch.equal(one, other) for one, other in itertools.pairwise(found))


def test_streaming_writes_no_weights(base, instruct):
    before = sorted(cache_folder().rglob("*.safetensors"))
    load(base, instruct, 0.456)
    assert sorted(cache_folder().rglob("*.safetensors")) == before


@pytest.mark.parametrize("tied_side", ["base", "instruct"])
def test_a_merge_with_a_tied_side_has_a_head_of_its_own(instruct, tmp_path, tied_side):
    tied = tiny_checkpoint(tmp_path / "tied", 3, tied=True)
    pair = (tied, instruct) if tied_side == "base" else (instruct, tied)
    lm = load(*pair)
    loaded = AutoModelForCausalLM.from_pretrained(materialised(*pair))
    assert not torch.equal(lm.lm.model.lm_head.weight, lm.lm.model.model.embed_tokens.weight)
    assert torch.equal(logits(lm.lm.model), logits(loaded))


def test_a_tied_pair_stays_tied(tmp_path):
    pair = [tiny_checkpoint(tmp_path / name, seed, tied=True) for seed, name in enumerate("bi")]
    lm = load(*pair)
    assert lm.lm.model.lm_head.weight is lm.lm.model.model.embed_tokens.weight
    loaded = AutoModelForCausalLM.from_pretrained(materialised(*pair))
    assert torch.equal(logits(lm.lm.model), logits(loaded))


def test_the_dtype_is_the_instruct_models_unless_given(streamed, base, instruct):
    assert streamed.lm.model.dtype == torch.bfloat16
    assert load(base, instruct, dtype="float32").lm.model.dtype == torch.float32
    assert load(base, instruct, 1, dtype="float32").lm.model.dtype == torch.float32


def test_a_config_without_dtype_takes_that_of_the_weights(base, instruct, tmp_path):
    silent = copy_of(instruct, tmp_path / "i")
    config = json.loads((silent / "config.json").read_text())
    del config["dtype"]
    (silent / "config.json").write_text(json.dumps(config))
    assert load(base, silent).lm.model.dtype == torch.bfloat16


def test_log_likelihoods_are_those_of_the_merge_on_disk(streamed, base, instruct):
    written = load(base, instruct, materialize=True)
    requests = [instance("loglikelihood", {}, ("w1 w2", " w3 w4"), 0)]
    # The backends themselves: the two are one model, whose answers are kept.
    assert streamed.lm.loglikelihood(requests) == written.lm.loglikelihood(requests)


# --- the prompts ------------------------------------------------------------------------------


class TwoStyles(NotingRequest):
    """A request that knows a prompt for each style, as the pass@k tasks make them."""

    def use_prompt_style(self, style, apply_chat_template):
        prompt = f"asked in {style}"
        if style == "chat":
            prompt = apply_chat_template([{"role": "user", "content": prompt}])
        self.arguments = (prompt, self.arguments[1])


def prompts_after_asking(lm, requests):
    lm.generate_until(requests, disable_tqdm=True)
    return [request.args[0] for request in requests]


@pytest.mark.parametrize(("alpha", "style"), [(0, "completion"), (0.01, "chat"), (1, "chat")])
def test_the_base_completes_and_every_merge_chats(base, instruct, alpha, style):
    lm = load(base, instruct, alpha)
    assert lm.prompt_style == style
    plain = [as_user_turn(instruct, q) if style == "chat" else q for q in QUESTIONS]
    assert prompts_after_asking(lm, requests_for()) == plain
    both = [instance("generate_until", {}, ("", GREEDY), made_as=TwoStyles)]
    asked = f"asked in {style}"
    expected = as_user_turn(instruct, asked) if style == "chat" else asked
    assert prompts_after_asking(lm, both) == [expected]


@pytest.mark.parametrize(("alpha", "style"), [(0, "chat"), (0.7, "completion")])
def test_a_prompt_style_that_is_given_wins_over_alpha(base, instruct, alpha, style):
    lm = load(base, instruct, alpha, prompt_style=style)
    expected = [as_user_turn(base, q) if style == "chat" else q for q in QUESTIONS]
    assert prompts_after_asking(lm, requests_for()) == expected


def test_repeats_of_one_request_are_wrapped_once(streamed, instruct):
    (request,) = requests_for(["w1"])
    texts = streamed.generate_until([request, request, request], disable_tqdm=True)
    assert request.args[0] == as_user_turn(instruct, "w1")
    assert len(texts) == 3
    assert len(set(texts)) == 1


def test_what_the_harness_has_put_into_the_template_is_not_wrapped_again(base, instruct):
    lm = load(base, instruct)
    prompts = [lm.apply_chat_template([{"role": "user", "content": q}]) for q in QUESTIONS]
    assert prompts_after_asking(lm, requests_for(prompts)) == prompts
    assert lm.get_model_info()["prompt_style"] == "harness"
    two_styles = instance("generate_until", {}, (prompts[0], GREEDY), made_as=TwoStyles)
    assert prompts_after_asking(lm, [two_styles]) == prompts[:1]
    plain = [as_user_turn(instruct, "w1")]
    assert prompts_after_asking(lm, requests_for(["w1"])) == plain, "the next ones are plain again"
    assert lm.get_model_info()["prompt_style"] == "chat"


def test_reading_a_property_changes_nothing(base, instruct):
    lm, other = load(base, instruct), load(base, instruct)
    for name in ("tokenizer_name", "prompt_style", "tokenizer_source", "eot_token_id", "sampling"):
        assert getattr(lm, name) is not None
    asked, expected = requests_for(), requests_for()
    assert prompts_after_asking(lm, asked) == prompts_after_asking(other, expected)
    assert asked[0].args[0] == as_user_turn(instruct, QUESTIONS[0])
    assert lm.get_model_info() == other.get_model_info()


def test_generation_arguments_of_a_wrapped_request_stay(streamed):
    (request,) = requests_for(["w1"], max_gen_toks=3)
    (text,) = streamed.generate_until([request], disable_tqdm=True)
    assert request.args[1] == GREEDY | {"max_gen_toks": 3}
    assert len(text.split()) <= 3


def test_the_chat_template_is_that_of_the_front_model(base, instruct, tmp_path):
    other = copy_of(base, tmp_path / "b")
    (other / "chat_template.jinja").write_text(
        "{% for m in messages %}base {{ m.content }}{% endfor %}"
    )
    turns = [{"role": "user", "content": "w1"}]
    assert load(other, instruct).apply_chat_template(turns) == as_user_turn(instruct, "w1")
    assert load(other, instruct, 0).apply_chat_template(turns) == "base w1"


# --- sampling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.7, 1])
def test_sampling_defaults_of_the_checkpoint_do_not_reach_the_answer(
    base, instruct, tmp_path, alpha
):
    opinionated = copy_of(instruct, tmp_path / "i")
    file = opinionated / "generation_config.json"
    file.write_text(
        json.dumps(
            json.loads(file.read_text())
            | {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.8}
            | {"min_p": 0.1, "repetition_penalty": 9.0}
        )
    )
    lm = load(base, opinionated, alpha)
    settings = lm.lm.model.generation_config
    assert (settings.top_k, settings.top_p, settings.min_p) == (0, 1.0, None)
    plain = load(base, instruct, alpha)
    assert lm.generate_until(requests_for(), disable_tqdm=True) == plain.generate_until(
        requests_for(), disable_tqdm=True
    )


def test_stop_tokens_of_the_checkpoint_do_reach_the_answer(base, instruct, tmp_path):
    stopping = copy_of(instruct, tmp_path / "i")
    file = stopping / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"eos_token_id": list(range(80))}))
    (text,) = load(base, stopping).generate_until(requests_for(["w1"]), disable_tqdm=True)
    assert len(text.split()) <= 1


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pretrained": "gpt2"}, "base= and instruct= in place of pretrained="),
        ({"materialize": "maybe"}, "materialize='maybe': expected true or false"),
        ({"backend": "jax"}, "backend='jax' is not known. Known: auto, vllm, hf"),
        ({"prompt_style": "poem"}, "prompt_style='poem' is not known. Known: auto, chat"),
        ({"alpha": 1.4}, "alpha=1.4 lies outside [0, 1]"),
        ({"tp_plan": "auto"}, "tp_plan needs a checkpoint on disk: add materialize=true"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_with_the_remedy(base, instruct, arguments, words):
    with pytest.raises(RecipeError) as refusal:
        # The last one is found when the weights are asked for, still before the first is read.
        _ = load(base, instruct, **arguments).lm
    assert words in str(refusal.value)


@pytest.mark.parametrize("missing", ["base", "instruct", "alpha"])
def test_a_missing_argument_is_named(base, instruct, missing):
    arguments = {"base": str(base), "instruct": str(instruct), "alpha": 0.7}
    del arguments[missing]
    with pytest.raises(RecipeError, match=f"^{missing}=None"):
        HindsightMerged(backend="hf", **arguments)


def test_a_missing_folder_is_refused_before_anything_is_loaded(base, tmp_path):
    with pytest.raises(CheckpointError, match="there is no such folder"):
        load(base, tmp_path / "nowhere")


def test_a_model_that_was_not_loaded_has_no_attributes_of_a_backend():
    with pytest.raises(AttributeError):
        _ = HindsightMerged.__new__(HindsightMerged).max_length


# --- what the results say ------------------------------------------------------------------------


def test_the_model_info_is_enough_to_repeat_the_merge(streamed, base, instruct):
    info = json.loads(json.dumps(streamed.get_model_info()))
    fields = set(streamed.recipe.to_dict())
    again = MergeRecipe(**{name: info["merge"][name] for name in fields})
    assert again.fingerprint() == info["merge"]["fingerprint"]
    for side, folder in (("base", base), ("instruct", instruct)):
        assert info["merge"][f"{side}_identity"] == Checkpoint.open(str(folder)).identity()
    assert info["merge"]["weights"] == "streamed"
    assert (info["backend"], info["prompt_style"]) == ("hf", "chat")
    for package in ("hindsight-merging", "mergekit", "torch", "transformers", "lm_eval"):
        assert info["versions"][package]
    assert "vllm" in info["versions"]


def test_remarks_reach_the_log_and_the_model_info(instruct, tmp_path, caplog):
    tied = tiny_checkpoint(tmp_path / "tied", 3, tied=True)
    info = load(tied, instruct).get_model_info()
    assert "ties its output head" in info["merge"]["remarks"][0]
    assert "ties its output head" in caplog.text


def test_the_harness_sees_its_backend_through_the_merge(streamed, instruct):
    config = json.loads((instruct / "config.json").read_text())
    assert streamed.lm is not None
    assert streamed.max_length == config["max_position_embeddings"]
    assert (streamed.rank, streamed.world_size) == (0, 1)
    assert streamed.device == streamed.lm.device
    assert not hasattr(streamed, "no_such_attribute")


def test_requests_are_left_as_the_harness_gave_them_in_completion_style(base, instruct):
    requests = requests_for()
    before = copy.deepcopy(requests)
    load(base, instruct, 0).generate_until(requests, disable_tqdm=True)
    assert requests == before


def test_a_request_that_is_asked_twice_is_wrapped_once(base, instruct):
    lm = HindsightMerged(base=str(base), instruct=str(instruct), alpha=0.5, backend="hf")
    request = instance("generate_until", {}, ("w1 w2", {"until": [], "max_gen_toks": 2}), 0)
    lm.generate_until([request])
    once = request.args
    lm.generate_until([request])
    assert request.args == once


def test_nothing_is_loaded_before_it_is_needed(base, instruct):
    lm = HindsightMerged(base=str(base), instruct=str(instruct), alpha=0.5, backend="hf")
    assert (lm.rank, lm.world_size) == (0, 1)
    assert lm.tokenizer.eos_token_id == lm.eot_token_id == 1
    assert not lm.engine.is_loaded
    assert not hasattr(lm, "batch_sizes"), "what the harness notes after a run starts no engine"
    assert not lm.engine.is_loaded
    assert lm.add_bos_token is None, "what the backend knows is passed on"
    assert lm.engine.is_loaded
    assert lm.max_length > 0


def test_a_backend_that_breaks_on_an_attribute_says_so(base, instruct, monkeypatch):
    def broken(*args):
        raise AttributeError("engine has no wheels")

    monkeypatch.setattr("hm_models.engines.hf.HfEngine.load", broken)
    lm = HindsightMerged(base=str(base), instruct=str(instruct), alpha=0.5, backend="hf")
    with pytest.raises(RuntimeError, match="did not load: engine has no wheels"):
        _ = lm.add_bos_token


def test_a_tokenizer_that_is_named_is_the_one_that_is_used(base, instruct, tmp_path):
    other = copy_of(instruct, tmp_path / "other")
    config = json.loads((other / "tokenizer_config.json").read_text())
    named = {"chat_template": "named {{ messages[0].content }}"}
    (other / "tokenizer_config.json").write_text(json.dumps(config | named))
    (other / "chat_template.jinja").unlink(missing_ok=True)
    lm = load(base, instruct, tokenizer=str(other))
    assert lm.lm.tokenizer.name_or_path == str(other)
    assert lm.apply_chat_template([{"role": "user", "content": "w1"}]) == "named w1"


class OneOfTwo:
    """What the harness's `hf` model is to it in the first of two processes."""

    rank, world_size = 0, 2

    def all_gather(self, tensor):
        return [tensor, "its other half"]

    def gather_object(self, obj, dst=0):
        return [obj, f"of the other process, for {dst}"]


@pytest.mark.parametrize("processes", ["1", "2"])
def test_several_processes_are_gathered_by_the_backend(processes, base, instruct, monkeypatch):
    lm = HindsightMerged(base=str(base), instruct=str(instruct), alpha=0.5, backend="hf")
    monkeypatch.setenv("WORLD_SIZE", processes)
    monkeypatch.setattr(lm.engine, "_lm", OneOfTwo())
    several = processes == "2"
    assert lm.world_size == int(processes)
    assert lm.gather_object("mine") == ["mine", "of the other process, for 0"][: int(processes)]
    assert lm.all_gather("mine") == (["mine", "its other half"] if several else "mine")
