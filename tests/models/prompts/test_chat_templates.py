"""A chat template that is given: by a known name or from a file, in prompts, keys and results."""

import hashlib
import json

import pytest

from hm_models.errors import RecipeError
from hm_models.merged import HindsightMerged
from hm_models.prompts.chat_templates import KNOWN, GivenTemplate
from hm_models.prompts.rendered import ChatTemplateError
from hm_models.sweep.config import read_config
from hm_models.sweep.preflight import check
from tests.instances import instance
from tests.models.tiny import copy_of

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)
HELLO = [{"role": "user", "content": "w1"}]


def merged(base, instruct, alpha=0.7, **more):
    sides = {"base": str(base), "instruct": str(instruct)}
    return HindsightMerged(**sides, alpha=alpha, backend="hf", **more)


@pytest.fixture
def bare(tmp_path, base, instruct):
    """The tiny pair, without chat templates."""
    pair = {"base": copy_of(base, tmp_path / "base"), "instruct": copy_of(instruct, tmp_path / "i")}
    for side in pair.values():
        (side / "chat_template.jinja").unlink()
    return pair


def test_vicunas_template_writes_what_fastchat_does(bare):
    lm = merged(**bare, chat_template="vicuna")
    turns = [*HELLO, {"role": "assistant", "content": "w2"}, {"role": "user", "content": "w3"}]
    # fastchat's get_conv_template("vicuna_v1.1").get_prompt(), behind its tokenizer's <s>.
    spoken = "USER: w1 ASSISTANT: w2</s>USER: w3 ASSISTANT:"
    assert lm.apply_chat_template(turns) == f"<s>{SYSTEM} {spoken}"
    told = [{"role": "system", "content": "w9"}, *HELLO]
    assert lm.apply_chat_template(told) == "<s>w9 USER: w1 ASSISTANT:"
    begun = [*HELLO, {"role": "assistant", "content": "w2 w3"}]
    assert lm.apply_chat_template(begun, False) == f"<s>{SYSTEM} USER: w1 ASSISTANT: w2 w3"
    with pytest.raises(ChatTemplateError, match="The chat template vicuna cannot say"):
        lm.apply_chat_template([{"role": "tool", "content": "w1"}])


def test_a_file_is_a_template_and_wins_over_the_checkpoints(tmp_path, base, instruct):
    file = tmp_path / "mine.jinja"
    file.write_text("{% for m in messages %}[{{ m['content'] }}]{% endfor %}")
    lm = merged(base, instruct, chat_template=str(file))
    assert lm.apply_chat_template(HELLO) == "[w1]"
    assert lm.chat_template(True) == file.read_text()
    assert merged(base, instruct).apply_chat_template(HELLO).startswith("<user> w1")


@pytest.mark.parametrize("alpha", [0, 1])
def test_it_serves_at_every_alpha(bare, alpha):
    assert "USER: w1" in merged(**bare, alpha=alpha, chat_template="vicuna").apply_chat_template(
        HELLO
    )


def test_prompts_in_chat_style_without_a_template_are_refused_before_loading(bare):
    lm = merged(**bare)
    asked = instance("generate_until", {}, ("w1", {"until": ["w2"]}), 0)
    with pytest.raises(ChatTemplateError, match=r"no chat template.*chat_template=FILE.*vicuna"):
        lm.generate_until([asked])
    assert not lm.engine.is_loaded


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "neither a file that can be read nor a known name"),
        ("{% for m in messages %}", "is no Jinja template"),
        (" \n", "is empty"),
    ],
)
def test_what_is_no_template_is_refused_before_anything(tmp_path, content, words):
    file = tmp_path / "x.jinja"
    if content is not None:
        file.write_text(content)
    with pytest.raises(RecipeError, match=words):
        HindsightMerged(base="nowhere", instruct="nowhere", alpha=0.7, chat_template=str(file))


def test_its_text_is_in_the_key_and_nothing_is_where_none_is_given(base, instruct, tmp_path):
    plain = merged(base, instruct).sampling.model.fingerprint
    given = merged(base, instruct, chat_template="vicuna").sampling.model.fingerprint
    copy = tmp_path / "another name.jinja"
    copy.write_text(KNOWN["vicuna"].read_text())
    again = merged(base, instruct, chat_template=str(copy)).sampling.model.fingerprint
    assert given == again != plain


def test_results_name_it_with_the_hash_of_its_text(base, instruct):
    assert merged(base, instruct).get_model_info()["chat_template"] is None
    found = merged(base, instruct, chat_template="vicuna").get_model_info()["chat_template"]
    digest = hashlib.sha256(KNOWN["vicuna"].read_bytes()).hexdigest()
    assert found == {"name": "vicuna", "sha256": digest}
    json.dumps(found)


def test_a_sweep_takes_it_and_knows_its_text(bare, our_tasks_alone, tmp_path):
    def checked(template):
        arguments = {"backend": "hf"} | ({"chat_template": template} if template else {})
        settings = {side: str(folder) for side, folder in bare.items()}
        settings |= {"tasks": ["demo_passk"], "alphas": [0.7], "model_args": arguments}
        return check(read_config(settings))

    (problem,) = checked(None).problems
    assert "has no chat template" in problem
    assert "chat_template=FILE" in problem
    copy = tmp_path / "copy.jinja"
    copy.write_text(KNOWN["vicuna"].read_text())
    found = [checked(template) for template in ("vicuna", str(copy))]
    assert [one.problems for one in found] == [(), ()]
    assert found[0].fingerprints == found[1].fingerprints
    copy.write_text(copy.read_text() + "!")
    assert checked(str(copy)).fingerprints != found[0].fingerprints


def test_nothing_given_is_no_template():
    assert GivenTemplate.of(None) is None
