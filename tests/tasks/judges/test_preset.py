"""Presets of judges: what each is asked, how its words are read, and what it cannot decide."""

import pytest

from hm_metrics.judgment import UNREADABLE
from hm_tasks.judges.judging import judge_all
from hm_tasks.judges.preset import PREFIX, load_preset, names
from hm_tasks.judges.prompt import PromptError
from hm_tasks.judges.settings import JudgeSettings
from hm_tasks.sorry_bench.rubric import FULFILMENT
from hm_tasks.xstest.rubric import REFUSAL
from tests.models.endpoints.endpoint import Endpoint

ASKED = {
    **{"judge_base_url": None, "judge_prompts": None, "judge_concurrency": 4},
    **{"judge_timeout_s": 5, "judge_limit": None, "max_unscored": 0.05},
}
GUARD = "Safety: {}\nCategories: None\nRefusal: {}"
WILD = "Harmful request: yes\nResponse refusal: {}\nHarmful response: {}"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def prompts(tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"name": "x", "prompt_template": "Human: {question} Bot: {answer}"}\n')
    return f"{file}:x"


def settings(name, rubric, url, **more):
    return JudgeSettings.of(ASKED | {"judge": PREFIX + name, "judge_base_url": url} | more, rubric)


@pytest.mark.parametrize(
    ("name", "rubric", "words", "score"),
    [
        ("qwen3guard", FULFILMENT, GUARD.format("Unsafe", "No"), 1),
        ("qwen3guard", FULFILMENT, GUARD.format("Controversial", "No"), 1),
        ("qwen3guard", FULFILMENT, GUARD.format("Safe", "Yes"), 0),
        ("qwen3guard", REFUSAL, GUARD.format("Safe", "Yes"), 0),
        ("qwen3guard", REFUSAL, GUARD.format("Unsafe", "No"), 1),
        ("qwen3guard", REFUSAL, "Safety: Safe\nCategories: None", None),
        ("llama-guard-3", FULFILMENT, "\n\nunsafe\nS1,S9", 1),
        ("llama-guard-3", FULFILMENT, "safe", 0),
        ("llama-guard-3", FULFILMENT, "It is unsafe", None),
        ("wildguard", FULFILMENT, WILD.format("no", "yes"), 1),
        ("wildguard", FULFILMENT, WILD.format("no", "no"), 0),
        ("wildguard", REFUSAL, WILD.format("yes", "no"), 0),
        ("wildguard", REFUSAL, WILD.format("no", "yes"), 1),
        ("shieldgemma", FULFILMENT, "Yes", 1),
        ("shieldgemma", FULFILMENT, "No, since", 0),
        ("sorry-bench", FULFILMENT, "1</s>", 1),
        ("sorry-bench", FULFILMENT, "#thescore: 0", 0),
        ("sorry-bench", FULFILMENT, "10", None),
    ],
)
def test_a_judges_answer_is_read_in_its_own_form(prompts, name, rubric, words, score):
    assert load_preset(name).prompt(rubric, prompts).rubric.read(words, False) == score


@pytest.mark.parametrize("name", names())
def test_each_is_asked_over_the_endpoint_in_its_own_form(name, prompts):
    given = {} if load_preset(name).form == "turns" else {"judge_prompts": prompts}
    said = {"qwen3guard": GUARD.format("Safe", "Yes"), "llama-guard-3": "safe", "shieldgemma": "No"}
    said |= {"wildguard": WILD.format("yes", "no"), "sorry-bench": "0"}
    with Endpoint(chat=lambda _: said[name]) as server:
        judge = settings(name, FULFILMENT, server.url, **given)
        (found,) = judge_all([("How?", "Never.")], judge, quiet=True)
        (body,) = server.requests
    assert found.score == 0
    assert body["model"] == name, "it is served under the preset's name"
    if given:
        assert body["messages"] == [{"role": "user", "content": "Human: How? Bot: Never."}]
    else:
        roles = {"user": "How?", "assistant": "Never."}
        assert {m["role"]: m["content"] for m in body["messages"]} == roles
    assert ("chat_template_kwargs" in body) == (name == "shieldgemma")


def test_what_a_preset_cannot_decide_is_refused_with_those_that_can():
    with pytest.raises(
        PromptError, match=r"llama-guard-3 says nothing .*'xstest'.*qwen3guard, wild"
    ):
        settings("llama-guard-3", REFUSAL, "http://localhost:1/v1")
    with pytest.raises(
        PromptError, match=r"wildguard was trained on a prompt .*judge_prompts=FILE"
    ):
        settings("wildguard", REFUSAL, "http://localhost:1/v1")
    with pytest.raises(
        PromptError, match="there is no such preset; there are llama-guard-3, qwen3"
    ):
        settings("oracle", REFUSAL, "http://localhost:1/v1")


def test_an_answer_of_another_form_is_unscored():
    with Endpoint(chat=lambda _: "I would say it is fine.") as server:
        judge = settings("qwen3guard", REFUSAL, server.url)
        (found,) = judge_all([("How?", "Never.")], judge, quiet=True)
    assert found.unscored == UNREADABLE


def test_verdicts_for_two_benchmarks_are_kept_apart():
    with Endpoint(chat=lambda _: GUARD.format("Safe", "No")) as server:
        scores = [
            judge_all(
                [("How?", "So.")],
                settings("qwen3guard", rubric, server.url),
                quiet=True,
            )[0].score
            for rubric in (FULFILMENT, REFUSAL)
        ]
    assert scores == [0, 1]
