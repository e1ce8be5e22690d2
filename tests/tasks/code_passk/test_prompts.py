"""The prompts, stop strings and defaults are evalplus's own, in both styles."""

import inspect
from types import SimpleNamespace

import pytest
from evalplus.provider.utility import EOS, extra_eos_for_direct_completion, make_raw_chat_prompt

from hm_models.prompts.rendered import ChatTemplateError
from hm_tasks.asked_prompts import facts
from hm_tasks.code_passk.prompts import INSTRUCTION, RESPONSE, chat_prompt, completion_prompt
from tests.tasks.code_passk.benchmarks import load

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"


def render(messages, tokenize=False, add_generation_prompt=True):
    import jinja2

    return jinja2.Template(TEMPLATE).render(messages=messages) + "<assistant>"


def test_the_chat_prompt_is_evalpluss_to_the_letter():
    tokenizer = SimpleNamespace(chat_template=TEMPLATE, apply_chat_template=render)
    problem = '\n"""\nWrite a function.\nassert f(1) == 1\n"""\n'
    theirs = make_raw_chat_prompt(problem.strip() + "\n", INSTRUCTION, RESPONSE, tokenizer)
    assert chat_prompt(problem, render, None) == theirs


def test_instruction_and_response_prefix_are_those_of_evalpluss_codegen():
    from evalplus.codegen import run_codegen

    source = inspect.getsource(run_codegen)
    assert f'instruction_prefix = "{INSTRUCTION}"' in source
    assert f'response_prefix = "{RESPONSE}"' in source


def test_a_system_instruction_leads_the_conversation():
    assert chat_prompt("x", render, "Be brief.").startswith("<system>Be brief.</system><user>")


def test_a_completion_prompt_is_stripped_and_ends_with_one_newline():
    assert completion_prompt('\n"""\nDo it.\n"""\n\n') == '"""\nDo it.\n"""\n'


@pytest.mark.parametrize(
    ("task", "dataset"),
    [("mbppplus_passk", "mbpp"), ("humanevalplus_passk", "humaneval"), ("demo_passk", "mbpp")],
)
def test_stop_strings_are_evalpluss_in_both_styles(task, dataset):
    loaded = load(task)
    loaded.build_all_requests(limit=1)
    (request,) = loaded.instances
    assert request.args[1]["until"] == EOS + extra_eos_for_direct_completion(dataset)
    request.use_prompt_style("chat", render)
    assert request.args[1]["until"] == [*EOS, "\n```\n"]
    assert request.args[0].endswith("```python\n")


def test_sampling_is_the_papers():
    loaded = load("demo_passk")
    loaded.build_all_requests(limit=1)
    settings = loaded.instances[0].args[1]
    assert {key: settings[key] for key in settings if key != "until"} == {
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.95,
        "max_gen_toks": 768,
    }
    assert loaded.instances[0].repeats == 11


def test_the_harnesss_own_chat_flag_gives_the_chat_prompt_for_any_model():
    loaded = load("demo_passk")
    loaded.build_all_requests(limit=1, apply_chat_template=True, chat_template=render)
    (request,) = loaded.instances
    assert request.style == "chat"
    assert request.args[0] == chat_prompt(request.doc["prompt"], render, None)


def test_changing_style_twice_leaves_no_trace():
    loaded = load("demo_passk")
    loaded.build_all_requests(limit=1)
    (request,) = loaded.instances
    before = request.args
    request.use_prompt_style("chat", render)
    request.use_prompt_style("completion", None)
    assert request.args == before


def as_messages(turns, add_generation_prompt=True):
    """What the harness's chat endpoints make of turns."""
    import json

    from lm_eval.models.api_models import JsonChatStr

    return JsonChatStr(json.dumps(turns, ensure_ascii=False))


@pytest.mark.parametrize("task", ["demo_passk", "humanevalplus_passk", "mbppplus_traces"])
def test_an_endpoint_that_takes_turns_gets_the_question_in_them_and_no_beginning(task):
    loaded = load(task)
    loaded.build_all_requests(
        limit=1,
        apply_chat_template=True,
        chat_template=as_messages,
        system_instruction="Be brief.",
    )
    (request,) = loaded.instances
    import json

    system, user = json.loads(request.args[0].prompt)
    assert system == {"role": "system", "content": "Be brief."}
    assert user["role"] == "user"
    assert request.doc["prompt"].strip() in user["content"]
    assert "\n```\n" not in request.args[1]["until"]


def test_what_an_endpoint_is_asked_is_evalpluss_to_the_letter():
    import json

    from evalplus.gen.util import openai_request
    from evalplus.provider.openai import OpenAIChatDecoder

    asked = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            openai_request,
            "make_auto_request",
            lambda client, **given: asked.update(given) or SimpleNamespace(choices=[]),
        )
        decoder = OpenAIChatDecoder(
            "m", base_url="http://127.0.0.1:1", instruction_prefix=INSTRUCTION
        )
        decoder.codegen("def f(): ...\n", num_samples=1)
    (turn,) = json.loads(chat_prompt("def f(): ...\n", as_messages, None).prompt)
    assert turn["content"] == asked["message"]


def test_a_model_that_takes_turns_alone_is_asked_in_them_without_the_flag(monkeypatch):
    pytest.importorskip("tenacity", reason="the harness's endpoint models need lm_eval[api]")
    from lm_eval.models.openai_completions import LocalChatCompletion

    loaded = load("demo_passk")
    loaded.meet(LocalChatCompletion(model="m", base_url="http://127.0.0.1:1/v1/chat/completions"))
    loaded.build_all_requests(limit=1)
    (request,) = loaded.instances
    assert request.style == "chat"
    assert not isinstance(request.args[0], str)


def test_a_harness_model_that_loses_the_system_turn_is_refused_by_the_templates_name():
    class Model:
        tokenizer = SimpleNamespace(name_or_path="some/gemma")

    loaded = load("demo_passk")
    loaded.meet(Model())
    with pytest.raises(
        ChatTemplateError, match="chat template of some/gemma leaves out the system"
    ):
        loaded.build_all_requests(
            limit=1,
            apply_chat_template=True,
            chat_template=lambda turns: render([t for t in turns if t["role"] != "system"]),
            system_instruction="Be brief.",
        )


@pytest.mark.parametrize("task", ["demo_passk", "mbppplus_traces"])
@pytest.mark.parametrize("apply", [None, render, as_messages], ids=["plain", "text", "turns"])
def test_the_digest_of_prompts_is_that_of_what_all_of_them_share(task, apply):
    loaded = load(task)
    flag = {"apply_chat_template": apply is not None, "chat_template": apply}
    loaded.build_all_requests(limit=3, **flag)
    one, two, three = loaded.instances
    assert facts([one]) == facts([two]) == facts([three])
    assert facts([one])["style"] == ("chat" if apply else "completion")
    dated = load(task)
    dated.build_all_requests(limit=1, system_instruction="Today: 28 Nov 2026", **flag)
    if apply:
        assert facts(dated.instances)["sha256"] != facts([one])["sha256"]


def test_a_system_instruction_that_completion_prompts_have_no_place_for_is_said(caplog):
    loaded = load("demo_passk", n_samples=1, k=[1], diversity=[])
    loaded.build_all_requests(limit=1, system_instruction="Be brief.")
    loaded.note_samples(loaded.instances)
    assert loaded.dump_config()["metadata"]["prompts"]["system"] == "left out"
    assert "--system_instruction was left out" in caplog.text


def test_turns_that_an_endpoint_was_sent_are_read_from_the_harnesss_log():
    from hm_metrics.logs.samples import Logged
    from hm_tasks.curation.provenance import of_request

    arguments = {"gen_args_0": {"arg_0": ['[{"role": "user"}]'], "arg_1": {}}}
    line = {
        "doc_id": 1,
        "doc": {},
        "resps": [["a"]],
        "filtered_resps": ["a"],
        "arguments": arguments,
    }
    assert Logged(line).prompt == '[{"role": "user"}]'
    assert len(of_request(Logged(line))["prompt_sha256"]) == 64
