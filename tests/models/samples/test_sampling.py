"""Sampling through `hm-merged`: nothing lost, nothing mixed up, nothing generated twice."""

from collections import Counter

import pytest
from lm_eval.api.model import CacheHook

from hm_models.errors import RecipeError
from hm_models.merged import HindsightMerged
from tests.instances import ROLLING, instance
from tests.models.noting_request import NotingRequest

SAMPLED = {"until": ["w9"], "do_sample": True, "temperature": 1.0, "max_gen_toks": 8}
GREEDY = {"until": [], "do_sample": False, "max_gen_toks": 8}
PROMPTS = ("w1 w2 w3", "w40 w41", "w7")


class Killed(BaseException):
    """Stands for the death of the process, at a moment of our choosing."""


@pytest.fixture
def load(base, instruct, tmp_path):
    def load(alpha=0.7, file="samples", **arguments):
        arguments = {"backend": "hf", "device": "cpu", "dtype": "float32"} | arguments
        lm = HindsightMerged(base=str(base), instruct=str(instruct), alpha=alpha, **arguments)
        lm.keep_samples_in(tmp_path / file)
        return lm

    return load


def ask(lm, n=11, gen_kwargs=SAMPLED, prompts=PROMPTS):
    """n texts for each prompt, and the requests."""
    requests = [
        instance(
            "generate_until", {}, (prompt, gen_kwargs), 0, ("task", doc, n), made_as=NotingRequest
        )
        for doc, prompt in enumerate(prompts)
    ]
    texts = lm.generate_until([r for r in requests for _ in range(n)], disable_tqdm=True)
    return [texts[i : i + n] for i in range(0, len(texts), n)], requests


def generated(requests):
    return sum(not sample.reused for request in requests for _, sample in request.taken)


def kill_after(lm, count, monkeypatch):
    """Die once `count` samples are kept."""
    put, kept = lm.sampling.store.put, Counter()

    def put_and_die(model, answers):
        put(model, answers)
        kept["all"] += len(answers)
        if kept["all"] >= count:
            raise Killed

    monkeypatch.setattr(lm.sampling.store, "put", put_and_die)


def test_a_run_that_is_repeated_generates_nothing_and_loads_nothing(load):
    first, requests = ask(load(batch_size=4))
    assert generated(requests) == 33
    again = load(batch_size=4)
    assert ask(again)[0] == first
    assert not again.engine.is_loaded
    assert generated(ask(again)[1]) == 0


def test_the_samples_of_a_prompt_differ(load):
    texts, _ = ask(load(batch_size=11))
    assert all(len(set(group)) > 8 for group in texts)


def test_more_samples_are_added_to_those_that_there_are(load):
    few, _ = ask(load(batch_size=11))
    many, requests = ask(load(batch_size=16), n=50)
    assert generated(requests) == 39 * 3
    assert [group[:11] for group in many] == few
    fewer, requests = ask(load(), n=5)
    assert generated(requests) == 0
    assert fewer == [group[:5] for group in few]


def test_results_depend_neither_on_batches_nor_on_the_order_of_requests(load):
    one_way, _ = ask(load(file="a", batch_size=1))
    other_way, _ = ask(load(file="b", batch_size=7), prompts=PROMPTS[::-1])
    assert other_way[::-1] == one_way


@pytest.mark.parametrize("count", [1, 10, 32])
def test_a_run_that_dies_goes_on_where_it_was(load, monkeypatch, count):
    undisturbed, _ = ask(load(file="other", batch_size=4))
    dying = load(batch_size=4)
    kill_after(dying, count, monkeypatch)
    with pytest.raises(Killed):
        ask(dying)
    resumed, requests = ask(load(batch_size=4))
    assert resumed == undisturbed
    assert generated(requests) == 33 - count


def test_a_row_is_kept_in_the_step_in_which_it_ends_not_with_its_batch(load, monkeypatch):
    dying = load(batch_size=33)
    kill_after(dying, 1, monkeypatch)
    with pytest.raises(Killed):
        ask(dying)
    # One batch of all: had rows waited for it, none or all would be there.
    assert generated(ask(load(batch_size=33))[1]) == 32


def test_every_request_is_told_once_of_each_of_its_samples(load):
    texts, requests = ask(load(batch_size=8))
    for request, group in zip(requests, texts, strict=True):
        told = sorted((index, sample.text, sample.reused) for index, sample in request.taken)
        assert told == [(n, text, False) for n, text in enumerate(group)]
    _, requests = ask(load(), n=12)
    assert Counter(sample.reused for r in requests for _, sample in r.taken) == {True: 33, False: 3}


@pytest.mark.parametrize("gen_kwargs", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_alphas_in_one_file_are_never_mixed(load, gen_kwargs):
    apart = {alpha: ask(load(alpha, file=str(alpha)), 2, gen_kwargs)[0] for alpha in (0.3, 0.7)}
    assert apart[0.3] != apart[0.7]
    lm = load(0.3, file="shared")
    together = {0.3: ask(lm, 2, gen_kwargs)[0]}
    lm.set_alpha(0.7)
    together[0.7] = ask(lm, 2, gen_kwargs)[0]
    assert together == apart
    lm.set_alpha(0.3)
    back, requests = ask(lm, 2, gen_kwargs)
    assert back == apart[0.3]
    assert generated(requests) == 0


def test_log_likelihoods_in_one_file_are_never_mixed_and_come_back_to_the_bit(load):
    def score(lm, kind="loglikelihood", arguments=(("w1 w2", " w3"), ("w4", " w5 w6"))):
        return getattr(lm, kind)([instance(kind, {}, args, 0) for args in arguments])

    apart = [score(load(alpha, file=str(alpha))) for alpha in (0.3, 0.7)]
    assert [score(load(alpha)) for alpha in (0.3, 0.7)] == apart
    again = load(0.7)
    assert score(again) == apart[1]
    assert all(isinstance(answer, tuple) for answer in score(again))
    assert not again.engine.is_loaded
    texts = (*ROLLING, "w1 w2 w3"), (*ROLLING, "w4 w5")
    rolling = score(load(), "loglikelihood_rolling", texts)
    again = load()
    assert score(again, "loglikelihood_rolling", texts[::-1]) == rolling[::-1]
    assert not again.engine.is_loaded


def test_scores_are_kept_one_by_one(load, monkeypatch):
    requests = [instance("loglikelihood", {}, ("w1 w2", f" w{n}"), 0) for n in range(5)]
    dying = load(batch_size=1)
    kill_after(dying, 2, monkeypatch)
    with pytest.raises(Killed):
        dying.loglikelihood(requests)
    lm = load(batch_size=1)
    found = lm.sampling.store.holdings()
    assert [holding.answers for holding in found] == [2]
    assert lm.loglikelihood(requests) == load(file="other").loglikelihood(requests)


def test_another_sampling_seed_draws_anew(load):
    texts, _ = ask(load())
    other, requests = ask(load(sampling_seed=1))
    assert other != texts
    assert generated(requests) == 33
    with pytest.raises(RecipeError, match="sampling_seed='x': expected a whole number"):
        load(sampling_seed="x")


def test_the_harnesss_own_cache_is_refused_as_it_would_mix_models(load):
    hook = CacheHook(None)
    load().set_cache_hook(hook)  # without --use_cache
    hook.dbdict = {}
    with pytest.raises(RecipeError, match="keep_samples_in"):
        load().set_cache_hook(hook)


def test_results_say_how_samples_were_drawn_and_where_they_are(load, tmp_path):
    info = load(sampling_seed=3).get_model_info()["sampling"]
    assert info == {"seed": 3, "same_again": "exact", "kept_in": str(tmp_path / "samples")}
