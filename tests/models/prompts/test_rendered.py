"""What goes into a chat template is found in what comes out, or an error says what is lost."""

import pytest
from transformers import PreTrainedTokenizerFast

from hm_models.engines.hf import HfEngine
from hm_models.prompts.rendered import ChatTemplateError, asked, opened, rendered
from hm_models.prompts.tokenizer_source import TokenizerSource
from tests.models.tiny import TOKENS, tiny_tokenizer

PROBLEM = "def add(a, b):\n    '''Add a & b <= 3.'''"
PREFIX = "Below is the script:\n```python\n"
SYSTEM = "Be terse."
HEAD = "{% for m in messages %}<{{ m.role }}>"
TAIL = "</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
PARTS = "{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %}"
NO_SYSTEM = (
    "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
)
USER_LAST = (
    "{% if messages[-1].role != 'user' %}{{ raise_exception('user must be last') }}{% endif %}"
)

FAITHFUL = {
    "text": HEAD + "{{ m.content }}" + TAIL,
    "trimmed text": HEAD + "{{ m.content | trim }}" + TAIL,
    "parts": HEAD + PARTS + TAIL,
    "parts, and the system's as text": HEAD
    + "{% if m.role == 'system' %}{{ m.content }}{% else %}"
    + PARTS
    + "{% endif %}"
    + TAIL,
    "parts of the user alone": HEAD
    + "{% if m.role == 'user' %}"
    + PARTS
    + "{% else %}{{ '' + m.content }}{% endif %}"
    + TAIL,
    "either": HEAD
    + "{% if m.content is string %}{{ m.content }}{% else %}"
    + PARTS
    + "{% endif %}"
    + TAIL,
    "the system's in the user's turn": "{% set s = messages[0].content if messages[0].role == 'system' "
    "else '' %}{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ s if loop.last else '' }}"
    "{{ m.content }}{% endfor %}",
}
NO_ANSWERS = {
    "drops the assistant's turns": "<s>[INST] {{ (messages | selectattr('role', 'equalto', 'user') "
    "| list)[-1].content }} [/INST]",
    "wants the user to be last": USER_LAST + HEAD + "{{ m.content }}" + TAIL,
    "raises at an odd number of turns": "{% if messages | length % 2 == 0 %}{{ raise_exception('x') }}"
    "{% endif %}" + HEAD + "{{ m.content }}" + TAIL,
}
UNFAITHFUL = {
    "escapes HTML": (HEAD + "{{ m.content | e }}" + TAIL, "escapes the text of the user's turn"),
    "JSON": (
        "{% for m in messages %}{{ m | tojson }}{% endfor %}",
        "escapes the text of the user's",
    ),
    "JSON of the text": (
        HEAD + "{{ m.content | tojson }}" + TAIL,
        "escapes the text of the user's",
    ),
    "cuts": (HEAD + "{{ m.content[:25] }}" + TAIL, "changes the text of the user's turn"),
    "truncate": (HEAD + "{{ m.content | truncate(25) }}" + TAIL, "changes the text of the user's"),
    "one line": (
        HEAD + "{{ m.content.split() | join(' ') }}" + TAIL,
        "changes the text of the user's",
    ),
    "upper case": (HEAD + "{{ m.content | upper }}" + TAIL, "leaves out the user's turn"),
    "no user": (
        "{% for m in messages if m.role != 'user' %}{{ m.content }}{% endfor %}",
        "leaves out",
    ),
    "a constant": ("named", "leaves out the user's turn, which begins with"),
    "raises": (
        "{{ raise_exception('never') }}",
        "cannot say a conversation of user: TemplateError: never",
    ),
    "a mistake in it": ("{% for m in %}", "TemplateSyntaxError"),
    "unknown filter": ("{{ messages | nofilter }}", "nofilter"),
    "a type error": ("{{ 1 + messages[0].content }}", "TypeError"),
}


def front(tmp_path, template, **arguments) -> TokenizerSource:
    tokenizer: PreTrainedTokenizerFast = tiny_tokenizer(TOKENS)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(tmp_path)
    return TokenizerSource(tmp_path, arguments, HfEngine.template_arguments(arguments))


@pytest.mark.parametrize("system", [None, SYSTEM])
@pytest.mark.parametrize("template", FAITHFUL.values(), ids=FAITHFUL)
def test_what_is_asked_stands_in_the_prompt_which_ends_with_the_answers_beginning(
    tmp_path, template, system
):
    render = front(tmp_path, template).render
    turns = asked(PROBLEM, system)
    prompt = opened(render, turns, PREFIX, "It")
    assert prompt.count(PROBLEM) == 1
    assert prompt.endswith(PREFIX)
    assert prompt.count(SYSTEM) == (1 if system else 0)
    assert "'type'" not in prompt
    last = [*turns, {"role": "assistant", "content": "The answer is"}]
    assert render(last, add_generation_prompt=False).endswith("The answer is")


@pytest.mark.parametrize("template", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_prefix_that_a_template_has_no_turn_for_stands_behind_what_begins_an_answer(
    tmp_path, template
):
    render = front(tmp_path, template).render
    turns = asked(PROBLEM, None)
    assert opened(render, turns, PREFIX, "It") == render(turns) + PREFIX
    last = [*turns, {"role": "assistant", "content": "The answer is"}]
    assert render(last, add_generation_prompt=False) == render(turns) + "The answer is"


@pytest.mark.parametrize(("template", "words"), UNFAITHFUL.values(), ids=UNFAITHFUL)
def test_a_template_that_loses_the_problem_is_an_error_that_names_it_and_the_remedy(
    tmp_path, template, words
):
    render = front(tmp_path, template).render
    for ask in (
        lambda: render(asked(PROBLEM, None)),
        lambda: opened(render, asked(PROBLEM, None), "x", ""),
    ):
        with pytest.raises(ChatTemplateError) as refusal:
            ask()
        assert f"The chat template of {tmp_path}" in str(refusal.value)
        assert words in str(refusal.value)
        assert "prompt_style=completion" in str(refusal.value)
        assert refusal.value.__suppress_context__


@pytest.mark.parametrize(
    "template",
    [
        HEAD + NO_SYSTEM + "{{ m.content }}" + TAIL,
        "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}",
        "{{ messages[-1].content }}",
    ],
    ids=["raises", "skips", "last turn alone"],
)
def test_a_system_instruction_that_a_template_cannot_say_is_an_error_with_the_remedy(
    tmp_path, template
):
    render = front(tmp_path, template).render
    assert PROBLEM in render(asked(PROBLEM, None))
    with pytest.raises(ChatTemplateError, match=r"system.*Leave --system_instruction"):
        render(asked(PROBLEM, SYSTEM))


def test_a_model_that_drops_the_system_turn_by_itself_is_found_out(tmp_path):
    """The harness's `hf` and `vllm` do, with a line in the log."""

    def apply(turns, add_generation_prompt=True):
        return "".join(turn["content"] for turn in turns if turn["role"] != "system")

    with pytest.raises(ChatTemplateError, match="M's template leaves out the system's turn"):
        rendered(apply, asked(PROBLEM, SYSTEM), "M's template")


def test_one_text_in_the_prompt_does_not_count_for_two_turns(tmp_path):
    render = front(tmp_path, "{{ messages[-1].content }}").render
    with pytest.raises(ChatTemplateError, match="system"):
        render(asked("Be terse. What is 2+2?", "Be terse."))


def test_thoughts_of_earlier_answers_may_go_but_not_their_words(tmp_path):
    render = front(tmp_path, HEAD + "{{ m.content.split('</think>')[-1] }}" + TAIL).render
    turns = [
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "<think>one more</think>It is 2"},
        {"role": "user", "content": "2+2?"},
    ]
    assert render(turns).endswith("<assistant>It is 2</assistant><user>2+2?</user><assistant>")
    with pytest.raises(ChatTemplateError, match="assistant's turn"):
        front(tmp_path, "{{ messages[-1].content }}").render(turns)


@pytest.mark.parametrize("template", [None, ""])
def test_a_tokenizer_without_a_template_is_an_error_that_names_it(tmp_path, template):
    with pytest.raises(ChatTemplateError, match=f"{tmp_path} has no chat template"):
        front(tmp_path, template).render(asked(PROBLEM, None))


@pytest.mark.parametrize(
    "template",
    [
        "{{ ['a', 'b', 'c', 'd', 'e', 'f'] | random }}{{ messages[0].content }}",
        "{{ lipsum(1) }}{{ messages[0].content }}",
        "{{ range(1000) | random }}{{ messages[0].content }}",
    ],
)
def test_a_template_that_draws_at_random_draws_the_same_and_leaves_the_generator_alone(
    tmp_path, template
):
    import random

    render = front(tmp_path, template).render
    before = random.getstate()
    assert len({render(asked(PROBLEM, None)) for _ in range(5)}) == 1
    assert random.getstate() == before
