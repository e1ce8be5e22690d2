"""The parts of a plain prompt come to the turns that they belong to; text is lost nowhere."""

import json

import pytest
from lm_eval.tasks import TaskManager

from tests.instances import HAS_SCORERS
from tests.models.test_merged_hf import load

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
TEMPLATE += "{% if add_generation_prompt %}<assistant>{% endif %}"
DOC = {"q": "2+2?", "a": "4", "begin": "The sum is"}
PLAIN = {"doc_to_text": "Question: {{q}}", "doc_to_target": "{{a}}"}


@pytest.fixture(scope="module")
def lm(base, instruct, tmp_path_factory):
    folder = tmp_path_factory.mktemp("named")
    from tests.models.tiny import TOKENS, tiny_tokenizer

    tokenizer = tiny_tokenizer(TOKENS)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return load(base, instruct, tokenizer=str(folder))


@pytest.fixture
def build(tmp_path):
    """The requests of a task of the harness's own, as a user writes one."""

    def build(system=None, fewshot=0, chat_template=None, **fields):
        (tmp_path / "d.jsonl").write_text(json.dumps(DOC) + "\n")
        config = {
            "task": "mine",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(tmp_path / "d.jsonl")}},
            "test_split": "test",
            "output_type": "generate_until",
            "generation_kwargs": {"until": ["\n"], "do_sample": False},
            "metric_list": [{"metric": "exact_match"}],
            "num_fewshot": fewshot,
            "fewshot_config": {
                "sampler": "first_n",
                "samples": [{"q": "1+1?", "a": "2", "begin": "It"}],
            },
        }
        (tmp_path / "mine.yaml").write_text(json.dumps(config | PLAIN | fields))
        manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
        task = manager.load(["mine"])["tasks"]["mine"]
        task.build_all_requests(
            system_instruction=system,
            apply_chat_template=chat_template is not None,
            chat_template=chat_template,
        )
        return task.instances

    return build


def styled(lm, requests):
    lm.known(requests)
    lm.known(requests)  # asked again: wrapped once
    return [request.args[0] for request in requests]


AS_THE_HARNESS_DOES = {
    "prefix": {"gen_prefix": "The answer is"},
    "prefix of the document": {"gen_prefix": "{{begin}}"},
    "prefix with a blank behind": {"gen_prefix": "The answer is "},
    "prefix of two lines": {"gen_prefix": "Sure:\n```python\n"},
    "question that ends in a blank": {"doc_to_text": "Question: {{q}} ", "gen_prefix": "So"},
    "delimiter": {"target_delimiter": "\n\n", "gen_prefix": "The answer is"},
    "no delimiter": {"target_delimiter": "", "gen_prefix": "The answer is"},
    "system": {"system": "Be terse."},
    "system and prefix": {"system": "Be terse.", "gen_prefix": "The answer is"},
    "neither": {},
    "blank behind, no prefix": {"doc_to_text": "Question: {{q}} Answer: "},
}


@pytest.mark.parametrize("fields", AS_THE_HARNESS_DOES.values(), ids=AS_THE_HARNESS_DOES)
def test_a_chat_of_hm_merged_is_what_apply_chat_template_gives(lm, build, fields):
    (ours,) = styled(lm, build(**fields))
    (theirs,) = build(**fields, chat_template=lm.apply_chat_template)
    assert ours == theirs.args[0]
    if prefix := fields.get("gen_prefix", "").replace("{{begin}}", "The sum is"):
        assert ours.endswith(f"<assistant>{prefix}")
    assert "<user>Question: 2+2?" in ours
    assert ("<system>Be terse.</system>" in ours) == ("system" in fields)


@pytest.mark.skipif(HAS_SCORERS, reason="0.5.0.dev1 refuses examples whose answer is digits alone")
def test_description_and_examples_stay_with_the_question(lm, build):
    fields = {"description": "Do sums.\n\n", "gen_prefix": "It is", "fewshot": 1}
    expected = "Do sums.\n\nQuestion: 1+1? It is 2\n\nQuestion: 2+2?"
    (prompt,) = styled(lm, build(**fields))
    assert prompt == f"<user>{expected}</user><assistant>It is"
    (prompt,) = styled(lm, build(system="Be terse.", **fields))
    assert prompt == f"<system>Be terse.</system><user>{expected}</user><assistant>It is"


def test_the_base_gets_the_plain_prompt_as_the_harness_made_it(base, instruct, build):
    requests = build(system="Be terse.", gen_prefix="The answer is")
    (prompt,) = styled(load(base, instruct, 0), requests)
    assert prompt == "Be terse.Question: 2+2? The answer is"


def test_other_models_of_the_harness_see_the_requests_as_they_were(build):
    (request,) = build(system="Be terse.", gen_prefix="So")
    assert request.args[0] == "Be terse.Question: 2+2? So"


def test_a_prompt_that_is_not_the_harnesss_is_the_users(lm):
    from tests.models.test_merged_hf import requests_for

    assert styled(lm, requests_for(["w1 w2"])) == ["<user>w1 w2</user><assistant>"]


def test_what_the_harness_rendered_is_asked_as_it_is(base, instruct, lm, build):
    requests = build(chat_template=lm.apply_chat_template)
    rendered = [request.args[0] for request in requests]
    # This model has rendered nothing, as where the harness finds its requests in its cache.
    other = load(base, instruct)
    assert styled(other, requests) == rendered
    assert other.get_model_info()["prompt_style"] == "harness"
