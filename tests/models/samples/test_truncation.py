"""A prompt that the context cuts is counted with its answer, also when that is used again."""

import pytest
from lm_eval.models.huggingface import HFLM

from hm_models.samples.truncation import CUT, would_cut
from tests.models.noting_request import NotingRequest
from tests.models.test_merged_hf import load, requests_for

QUESTIONS = [" ".join(["w1"] * words) for words in (3, 20, 40)]
# 512 positions, less what is generated: 3, 20 and 40 tokens against room for 20.
ROOM = {"max_gen_toks": 12}


@pytest.fixture
def ask(base, instruct, tmp_path, caplog):
    def ask(**arguments):
        lm = load(base, instruct, prompt_style="completion", **arguments)
        lm.keep_samples_in(tmp_path / "samples.sqlite")
        requests = requests_for(QUESTIONS, NotingRequest, **ROOM)
        caplog.clear()
        lm.generate_until(requests, disable_tqdm=True)
        samples = [request.taken[0][1] for request in requests]
        return [(sample.reused, sample.facts.get(CUT, 0)) for sample in samples], caplog.text

    return ask


def test_what_is_cut_is_told_with_each_sample_also_when_it_is_used_again(ask):
    facts, log = ask(max_length=32)
    assert facts == [(False, 0), (False, 0), (False, 20)]
    assert "1 of 3 answers are to prompts that are longer than the context leaves room for" in log
    facts, log = ask(max_length=32)
    assert facts == [(True, 0), (True, 0), (True, 20)]
    assert "1 of 3 answers" in log


def test_a_context_with_room_cuts_nothing_and_says_nothing(ask):
    facts, log = ask()
    assert facts == [(False, 0)] * 3
    assert "longer than the context" not in log


def test_the_harnesss_own_models_are_asked_whether_they_would_cut(instruct):
    lm = HFLM(pretrained=str(instruct), device="cpu", max_length=32)
    assert [would_cut(lm, question, ROOM) for question in QUESTIONS] == [False, False, True]
    assert not would_cut(object(), QUESTIONS[-1], ROOM)
    assert not would_cut(None, QUESTIONS[-1], ROOM)
