"""The prompts, stop strings and defaults are evalplus's own, in both styles."""

import inspect
from types import SimpleNamespace

import pytest
from evalplus.provider.utility import EOS, extra_eos_for_direct_completion, make_raw_chat_prompt

from hm_tasks.code_passk.prompts import INSTRUCTION, RESPONSE, chat_prompt, completion_prompt
from tests.tasks.benchmarks import load

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
