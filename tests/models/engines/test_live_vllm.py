"""A vLLM engine that goes from alpha to alpha answers like the merge on disk at each of them.

All tests here ask one engine (`tests.models.engines.shared_vllm`); its parameters against those of a new
engine, for each architecture, are in the engine tier (`test_pairs_vllm`).
"""

import importlib.util
import itertools

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hm_metrics.entropy import TokenSums
from hm_models.engines.self_test import SelfTest
from hm_models.engines.teacher_forced import logits_of, top_of
from hm_models.engines.vllm import TOP_N_SIGMA_PROCESSOR
from hm_models.engines.vllm_calls import check_vllm
from hm_models.errors import RecipeError
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.writer import materialise
from hm_models.merged import HindsightMerged
from tests.instances import instance
from tests.models.engines.drawn_by_hand import SAMPLERS, chances_of, check_texts
from tests.models.engines.shared_vllm import SharedVllm, vllm_pair
from tests.models.noting_request import NotingRequest
from tests.models.tiny import TOKENS, tiny_checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]
PROMPTS = ("w1 w2 w3", "w4", "w5 w6 w7 w8 w9")
TEXTS = [("w1 w2 w3", " w4 w5"), ("", "w6 w7 w8"), ("w1", ""), ("w1 w2 w3", " w9")]
ALPHAS = (0.7, 0.3, 1, 0, 0.7)


@pytest.fixture(scope="module")
def pair(made_once):
    folder = made_once("vllm_pair", vllm_pair)
    return {side: str(folder / side) for side in ("base", "instruct")}


@pytest.fixture(scope="module")
def vllm(pair, tmp_path_factory):
    # As the engine starts for the first task that asks for top_n_sigma.
    own = {"logits_processors": [TOP_N_SIGMA_PROCESSOR]}
    engine = SharedVllm(tmp_path_factory.mktemp("cache"), **pair, alpha=0.7, **own)
    yield engine
    engine.close()


# --- asked of the engine, in its process ---------------------------------------------------------


def greedy(lm, alpha):
    """Tokens and log-probabilities of each prompt, and the engine's processes."""
    import psutil
    from vllm import SamplingParams

    lm.set_alpha(alpha)
    settings = SamplingParams(temperature=0, max_tokens=12, logprobs=1, ignore_eos=True)
    # One at a time: which prompts share a batch is a race, and rounding depends on the batch.
    answers = [
        lm.lm.model.generate(prompt, settings, use_tqdm=False)[0].outputs[0] for prompt in PROMPTS
    ]
    tokens = [(list(answer.token_ids), answer.cumulative_logprob) for answer in answers]
    return tokens, sorted(child.pid for child in psutil.Process().children(recursive=True))


def greedy_of_base(lm, base, alpha):
    """The same of another base, as a stage of its training."""
    lm.engine.set_recipe(lm.recipe.with_base(base).with_alpha(alpha))
    return greedy(lm, alpha)


def known(lm):
    return lm.get_model_info()


def self_tests(lm, alpha, other):
    """What the engine at `alpha` says to the self-test of two alphas."""
    lm.set_alpha(alpha)
    engine = lm.engine
    recipes = [engine.recipe, engine.recipe.with_alpha(other)]
    return [engine.compare(SelfTest(recipe, engine.plan)) for recipe in recipes]


def refusal_of_another_vllm(lm):
    """What is said of a vLLM without a call that we need."""
    import vllm

    plain = vllm.LLM.reset_prefix_cache
    del vllm.LLM.reset_prefix_cache
    try:
        check_vllm()
    except RecipeError as error:
        return str(error)
    finally:
        vllm.LLM.reset_prefix_cache = plain


def refusal_of_an_older_reset(lm):
    """What is said of a vLLM that cannot empty what was moved out of its prefix cache."""
    import vllm

    plain = vllm.LLM.reset_prefix_cache
    vllm.LLM.reset_prefix_cache = lambda self, device=None: plain(self)
    try:
        check_vllm()
    except RecipeError as error:
        return str(error)
    finally:
        vllm.LLM.reset_prefix_cache = plain


def emptied(lm, alpha):
    """What the engine's core is asked to empty as alpha changes."""
    core = lm.lm.model.llm_engine.engine_core
    plain, asked = core.reset_prefix_cache, []
    core.reset_prefix_cache = lambda *given: asked.append(given) or plain(*given)
    try:
        lm.set_alpha(alpha)
    finally:
        del core.reset_prefix_cache
    return asked


def load_formats_of_drafts(lm, draft):
    """How vLLM would load a draft model: as it is told to, and without that."""
    from vllm import EngineArgs
    from vllm.model_executor.model_loader.utils import get_draft_load_config

    from hm_models.engines.vllm_calls import drafting, loading

    streamed = loading(lm.recipe, lm.engine.stream)
    folder = str(lm.recipe.tokenizer_source.folder)
    found = []
    for given in (
        {"speculative_config": {"model": draft, "num_speculative_tokens": 2}},
        {"spec_model": draft, "spec_tokens": 2},
    ):
        for more in (drafting(given), {}):
            asked = EngineArgs(model=folder, max_model_len=128, **streamed | given | more)
            config = asked.create_engine_config()
            assert config.load_config.load_format == "hm-merged"
            assert config.speculative_config.draft_model_config.model == draft
            found.append(get_draft_load_config(config).load_format)
    return found


def tops(lm, alpha):
    lm.set_alpha(alpha)
    return list(top_of(lm.lm, TEXTS, 20))


class Told(NotingRequest):
    """A request of three samples that has their tokens measured."""

    measure_tokens = TokenSums


def sampled(lm, alpha, file):
    """Three samples of two prompts at temperature 1: texts, and whether each was there before."""
    lm.set_alpha(alpha)
    lm.keep_samples_in(file)
    settings = {"until": [], "max_gen_toks": 6, "do_sample": True, "temperature": 1.0}
    requests = [
        instance("generate_until", {}, (prompt, settings), 0, ("task", number, 3), made_as=Told)
        for number, prompt in enumerate(PROMPTS[:2])
    ]
    texts = lm.generate_until([one for one in requests for _ in range(3)], disable_tqdm=True)
    told = [dict(one.taken)[index] for one in requests for index in range(3)]
    return texts, [sample.reused for sample in told], [sample.facts for sample in told]


def first_tokens(lm, settings):
    """The first token of 400 answers to one prompt."""
    lm.set_alpha(0.7)
    asked = {"until": [], "max_gen_toks": 1, "do_sample": True} | settings
    request = instance(
        "generate_until", {}, (PROMPTS[0], asked), 0, ("t", 0, 400), made_as=NotingRequest
    )
    return lm.generate_until([request] * 400, disable_tqdm=True)


# --- and what is right ---------------------------------------------------------------------------


def test_the_self_test_finds_an_alpha_that_is_not_there(vllm):
    ((compared, wrong),), ((same, others),) = vllm.ask(self_tests, 0.3, 0.7)
    assert wrong == []
    assert same == compared
    # The CPU build packs the weights of linear layers; the embedding and the norms are as they came.
    assert "model.embed_tokens.weight" in others
    assert set(others) <= set(compared)


def test_a_vllm_that_lacks_a_call_is_refused_by_a_sentence(vllm):
    said = vllm.ask(refusal_of_another_vllm)
    assert "has no LLM.reset_prefix_cache, on which hm-merged stands" in said
    assert "backend=hf" in said


def test_a_vllm_that_keeps_what_was_moved_out_of_its_cache_is_refused(vllm):
    said = vllm.ask(refusal_of_an_older_reset)
    assert "has no reset_connector in LLM.reset_prefix_cache" in said


def test_a_change_of_alpha_empties_the_prefix_cache_and_what_was_moved_out_of_it(vllm):
    vllm.ask(emptied, 0.7)
    assert vllm.ask(emptied, 0.3) == [(False, True)]  # running requests, connector


def test_a_draft_model_is_read_from_its_own_files(vllm, tmp_path):
    draft = tiny_checkpoint(tmp_path / "draft", 7, dtype=torch.float32, hidden_size=128)
    assert vllm.ask(load_formats_of_drafts, str(draft)) == ["auto", "hm-merged"] * 2


def on_disk(pair, alpha):
    """Where the merge is as a checkpoint."""
    recipe = MergeRecipe(**pair, alpha=alpha)
    return materialise(recipe, plan_merge(recipe))


def greedy_by_transformers(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        whole = ids
        for _ in range(12):
            with torch.no_grad():
                logits = model(whole).logits[0]
            whole = torch.cat([whole, logits[-1].argmax()[None, None]], dim=1)
        with torch.no_grad():
            log_p = torch.log_softmax(model(whole).logits[0], -1)
        said = whole[0, ids.shape[1] :]
        before = range(ids.shape[1] - 1, whole.shape[1] - 1)
        found.append(
            (
                said.tolist(),
                sum(log_p[at, token].item() for at, token in zip(before, said, strict=True)),
            )
        )
    return found


def test_each_alpha_there_and_back_answers_like_the_merge_on_disk_in_one_engine(pair, vllm):
    steps = [vllm.ask(greedy, alpha) for alpha in ALPHAS]
    assert len({tuple(processes) for _, processes in steps}) == 1, "the engine was restarted"
    assert steps[0] == steps[-1]
    for (answers, _), alpha in itertools.islice(zip(steps, ALPHAS, strict=True), 4):
        folder = pair["instruct" if alpha else "base"] if alpha in (0, 1) else None
        right = greedy_by_transformers(folder or on_disk(pair, alpha))
        assert [tokens for tokens, _ in answers] == [tokens for tokens, _ in right]
        assert [p for _, p in answers] == pytest.approx([p for _, p in right], abs=1e-2)
    assert len({str(answers) for answers, _ in steps}) == 4, "alphas that answer alike show nothing"


def test_another_stage_of_the_base_answers_in_the_same_engine(pair, vllm, tmp_path):
    alike = {"dtype": torch.float32, "hidden_size": 128}
    plain = tiny_checkpoint(tmp_path / "stage", 5, **alike)
    # Whose tokens sit in other rows, so that a worker must follow the new pair's plan.
    tokens = (*TOKENS[:5], *reversed(TOKENS[5:]))
    moved = tiny_checkpoint(tmp_path / "moved", 6, tokens=tokens, **alike)
    before = vllm.ask(greedy, 0.7)
    try:
        for stage, alpha in ((plain, 0.7), (plain, 0), (moved, 0.7), (plain, 0.3)):
            staged = pair | {"base": str(stage)}
            answers, processes = vllm.ask(greedy_of_base, str(stage), alpha)
            right = greedy_by_transformers(stage if alpha == 0 else on_disk(staged, alpha))
            assert [tokens for tokens, _ in answers] == [tokens for tokens, _ in right]
            assert [p for _, p in answers] == pytest.approx([p for _, p in right], abs=1e-2)
            assert processes == before[1], "the engine was restarted"
            assert vllm.ask(known)["merge"]["base"] == str(stage)
    finally:
        after = vllm.ask(greedy_of_base, pair["base"], 0.7)
    assert after == before


def test_the_results_name_the_merge_that_the_engine_holds(pair, vllm):
    for alpha in (0.3, 0.7):
        vllm.ask(greedy, alpha)
        info = vllm.ask(known)
        assert info["merge"]["fingerprint"] == MergeRecipe(**pair, alpha=alpha).fingerprint()
        assert (info["backend"], info["merge"]["weights"]) == ("vllm", "streamed")


def test_log_probabilities_are_those_of_transformers_and_bounds_hold_the_entropy(pair, vllm):
    hf = HindsightMerged(**pair, alpha=1, backend="hf", dtype="float32").lm
    own = vllm.ask(tops, 1)
    for (logits, ids), (said, top) in zip(logits_of(hf, TEXTS), own, strict=True):
        log_p = torch.log_softmax(logits.double(), -1).numpy()
        assert said == pytest.approx(log_p[np.arange(len(ids)), ids], abs=1e-3)
        assert top.shape == (len(ids), 20)
        assert top == pytest.approx(
            -np.sort(-log_p, axis=1)[:, :20].reshape(len(ids), 20), abs=1e-3
        )
        exact, bounds = TokenSums.of_logits(logits, ids), TokenSums.of_top(said, top, 80)
        assert bounds.entropy_low - 1e-2 <= exact.entropy <= bounds.entropy_high + 1e-2
        assert bounds.surprisal == pytest.approx(exact.surprisal, abs=1e-2)


def test_samples_are_kept_one_by_one_for_each_alpha(vllm, tmp_path):
    file = tmp_path / "kept"
    texts, reused, facts = vllm.ask(sampled, 0.5, file)
    assert len(texts) == 6
    assert len(set(texts)) > 2
    assert not any(reused)
    assert all(1 <= one["tokens"] <= 6 for one in facts)
    again, reused, _ = vllm.ask(sampled, 0.5, file)
    assert again == texts
    assert all(reused)
    other, reused, _ = vllm.ask(sampled, 0.6, file)
    assert other != texts
    assert not any(reused)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "typical_p"])
def test_first_tokens_follow_each_sampler_by_its_definition(pair, vllm, name):
    texts = vllm.ask(first_tokens, SAMPLERS[name])
    folder = on_disk(pair, 0.7)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        logits = model(ids).logits[0, -1]
    chances = chances_of(logits.numpy(), SAMPLERS[name], seen=ids[0].tolist())
    ends = tokenizer.eos_token_id  # which is a stop string, and no text
    check_texts(texts, chances, lambda token: "" if token == ends else tokenizer.decode([token]))
