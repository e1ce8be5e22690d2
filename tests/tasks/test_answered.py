"""Tasks read what stands behind a thought, whatever model of the harness says it."""

import pytest

from hm_metrics.verdict import FAIL, PASS
from hm_models.samples.request import Sample
from hm_models.settings import ProtocolError
from hm_tasks.judges.judging import judge_all
from hm_tasks.judges.request import BareRequest
from tests.instances import instance
from tests.tasks.code_passk.benchmarks import load

RIGHT = "def similar_elements(a, b):\n    return tuple(set(a) & set(b))\n"
WRONG = "def similar_elements(a, b):\n    return ()\n"
THINKING = {"pretrained": "M"}


def thinking_chat(messages):
    return "".join(f"<{m['role']}>{m['content']}" for m in messages) + "<assistant><think>\n"


def ask(name, texts, told=None, chat=None, **metadata):
    """The verdicts on texts that a model gives, and the metrics; `told` are its notes by sample."""
    task = load(name, n_samples=len(texts), k=[1], diversity=[], **metadata)
    task.build_all_requests(limit=1, apply_chat_template=bool(chat), chat_template=chat)
    (request,) = task.instances
    for index, facts in (told or {}).items():
        request.take_sample(index, Sample(texts[index], False, facts))
    request.resps = list(texts)
    task.apply_filters()
    verdicts = request.filtered_resps["scored"]
    return [v["base_status"] for v in verdicts], task.process_results(request.doc, [verdicts])


@pytest.mark.parametrize("name", ["mbppplus_passk", "mbppplus_traces"])
def test_a_draft_in_a_thought_is_no_program_in_any_task(name):
    block = f"```python\n{WRONG}```"
    texts = [
        f"<think>\n{block}\n</think>\n```python\n{RIGHT}```",
        f"{block}\n</think>\n```python\n{RIGHT}```",
        f"<think>\n```python\n{RIGHT}```",
        f"<think>\n```python\n{RIGHT}```\n</think>\nI cannot do it.",
    ]
    found, metrics = ask(name, texts, chat=lambda m: "".join(x["content"] for x in m))
    assert found == [PASS, PASS, FAIL, FAIL]
    assert metrics["unfinished_thoughts"] == 1
    assert metrics["pass@1"] == 0.5


def test_what_the_model_noted_of_its_tokens_counts():
    text = f"</think> is spoken of\n{WRONG}"
    found, metrics = ask(
        "mbppplus_traces",
        [text + RIGHT, RIGHT, RIGHT],
        {0: {"answer": [len(text), len(text + RIGHT)]}, 1: {"answer": None}, 2: {}},
    )
    assert found == [PASS, FAIL, PASS]
    assert metrics["unfinished_thoughts"] == 1


def test_a_thought_that_the_prompt_began_needs_its_end_unless_the_model_leaves_it_out():
    draft = f"```python\n{RIGHT}```"
    found, _ = ask("mbppplus_traces", [draft], chat=thinking_chat, **THINKING)
    assert found == [FAIL], "it was cut off within its thought"
    given = THINKING | {"think_end_token": "</think>"}
    assert ask("mbppplus_traces", [draft], chat=thinking_chat, **given)[0] == [PASS]
    assert ask("mbppplus_traces", [draft], chat=thinking_chat)[0] == [PASS], (
        "nothing is known of it"
    )


def test_without_thoughts_nothing_is_counted_of_them():
    _, metrics = ask("mbppplus_traces", [RIGHT])
    assert "unfinished_thoughts" not in metrics


def test_a_thought_is_no_answer_to_a_judge(monkeypatch):
    request = instance("generate_until", {"request": "How?"}, ("How?", {}), made_as=BareRequest)
    request.resps = [
        "<think>I'm sorry, I can't.</think>First, mix it.",
        "<think>How to mix it:",
        "<think>To mix it is easy.</think>I'm sorry, I can't help.",
        "<think>Hm.</think>",
    ]
    from hm_tasks.judges.settings import JudgeSettings
    from hm_tasks.sorry_bench.rubric import FULFILMENT

    settings = load_settings(JudgeSettings, FULFILMENT)
    found = judge_all([("How?", answer) for answer in request.answers()], settings, quiet=True)
    assert [j.score for j in found] == [1, None, 0, 0]
    assert [j.unscored for j in found] == ["", "unfinished", "", ""]


def load_settings(settings, rubric):
    return settings.of(
        {
            **{"judge": "keyword", "judge_prompts": None, "judge_base_url": None},
            **{"judge_concurrency": 1, "judge_timeout_s": 1, "judge_limit": None},
            "max_unscored": 0.5,
        },
        rubric,
    )


@pytest.mark.parametrize(
    "told",
    [
        {"enable_thinking": True},
        {"enable_thinking": "true"},
        {"chat_template_args": {"enable_thinking": True}},
    ],
)
def test_thinking_before_an_answer_that_the_prompt_has_begun_is_refused(told):
    with pytest.raises(ProtocolError, match=r"mbppplus_passk begin the answer .* mbppplus_traces"):
        load("mbppplus_passk", **told)
    load("mbppplus_traces", **told)
    load("mbppplus_passk", enable_thinking=False)


@pytest.mark.parametrize("key", ["chat_until", "completion_until"])
def test_one_stop_string_of_the_metadata_is_no_list_of_letters_either(key):
    task = load("mbppplus_traces", n_samples=1, k=[1], **{key: "abc"})
    task.build_all_requests(
        limit=1, apply_chat_template=key == "chat_until", chat_template=thinking_chat
    )
    assert task.instances[0].args[1]["until"][-1] == "abc"


def test_one_stop_string_is_no_list_of_letters():
    task = load("demo_passk", n_samples=1, k=[1], diversity=[])
    task.set_config("generation_kwargs", {"until": "abc"}, update=True)
    task.build_all_requests(limit=1)
    assert task.instances[0].args[1]["until"][0] == "abc"
    assert "a" not in task.instances[0].args[1]["until"]


@pytest.mark.parametrize("name", ["demo_passk", "mbppplus_traces"])
def test_our_tasks_refuse_what_no_model_can_do(name):
    task = load(name, n_samples=1, k=[1], diversity=[])
    task.set_config("generation_kwargs", {"max_new_tokens": 9}, update=True)
    with pytest.raises(ValueError, match="Write max_gen_toks=9"):
        task.build_all_requests(limit=1)
