"""An answer while it is generated: stop strings within a thought are only spoken of."""

import pytest

from hm_models.engines.sample_vllm import sample_replicas
from hm_models.samples.answer_watch import AnswerWatch
from hm_models.samples.key import Job, SampleKey
from hm_models.samples.thinking import NO_THOUGHTS, Thinking
from tests.models.samples.scripted import CHAT, THINKING_CHAT, tokenizer

ASKED = "<s>assistant: "
BEGUN = f"{ASKED}<think>\n"
CHANNELS = ("<|channel|>", "<|message|>", "<|end|>", "<|start|>")


def listen(script, prompt=ASKED, until=("STOP",), given=None, tok=None, at_once=1):
    """Hear a script token by token. Returns the answer, and how many tokens were left unsaid."""
    tok = tok or tokenizer()
    thinking = Thinking.of(tok, given)
    watch = AnswerWatch(
        thinking if thinking.may_think(prompt) else NO_THOUGHTS,
        prompt,
        [*until, "</s>"],
        lambda ids: tok.decode(ids, skip_special_tokens=False),
    )
    ids = script if isinstance(script, list) else tok(script, add_special_tokens=False)["input_ids"]
    for start in range(0, len(ids), at_once):
        if watch.add(ids[start : start + at_once]):
            break
    return watch.answer(), len(ids) - len(watch.tokens)


def test_a_stop_string_in_a_thought_is_text_and_one_behind_it_ends_the_answer_at_once():
    said, unsaid = listen("I say STOP.\n</think>\nYes STOP no", BEGUN)
    assert said.text == "I say STOP.\n</think>\nYes "
    assert said.text[slice(*said.facts["answer"])] == "\nYes "
    assert unsaid == len(" no")


@pytest.mark.parametrize("at_once", [2, 7, 100])
def test_tokens_that_come_several_at_once_give_the_same(at_once):
    script = "I say STOP.\n</think>\nYes STOP no"
    assert listen(script, BEGUN, at_once=at_once) == listen(script, BEGUN)


def test_without_a_thought_stop_strings_count_from_the_start():
    for tok in (tokenizer(), tokenizer(THINKING_CHAT), tokenizer(added=("<think>", "</think>"))):
        said, unsaid = listen("Yes STOP no", tok=tok)
        assert said is None, "there is nothing that the backend would not do"
        assert unsaid == len(" no")


FAMILIES = {
    "in the template": (tokenizer(THINKING_CHAT), "<think>", "</think>"),
    "as tokens": (tokenizer(added=("<think>", "</think>")), "<think>", "</think>"),
    "as special tokens": (tokenizer(special=("[THINK]", "[/THINK]")), "[THINK]", "[/THINK]"),
    "of several tokens": (
        tokenizer(special=CHANNELS),
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "by another name": (
        tokenizer(added=("<my_thought>", "</my_thought>")),
        "<my_thought>",
        "</my_thought>",
    ),
    "by another name in a template": (
        tokenizer(CHAT + "{# content.split('</inner_reasoning>') <inner_reasoning> #}"),
        "<inner_reasoning>",
        "</inner_reasoning>",
    ),
}


@pytest.mark.parametrize(("tok", "begin", "end"), FAMILIES.values(), ids=FAMILIES)
def test_markers_are_found_in_the_tokenizer(tok, begin, end):
    said, unsaid = listen(f"{begin}I say STOP.{end}Yes STOP no", tok=tok)
    assert said.text == f"{begin}I say STOP.{end}Yes "
    assert said.text[slice(*said.facts["answer"])] == "Yes "
    assert unsaid == len(" no")


def test_a_prompt_that_speaks_of_thoughts_is_enough():
    prompt = f"<s>user: Think between <think> and </think>.</s>{ASKED}"
    said, _ = listen("<think>I say STOP.</think>Yes STOP no", prompt)
    assert said.text.endswith("</think>Yes ")


@pytest.mark.parametrize("given", ["</think>", "=end=", "<|message|>"])
def test_a_marker_that_is_given_counts_and_the_thought_is_left_out_as_the_harness_does(given):
    tok = tokenizer(special=CHANNELS)
    end = "<|channel|>final<|message|>" if given == "<|message|>" else given
    begin = "<|channel|>analysis<|message|>" if given == "<|message|>" else ""
    said, unsaid = listen(f"{begin}I say STOP.{end} Yes STOP no", given=given, tok=tok)
    assert said.text == "Yes "
    assert said.facts == {"answer": [0, 4]}
    assert unsaid == len(" no")


@pytest.mark.parametrize("as_text", [True, False])
def test_a_marker_that_is_given_by_its_token_counts(as_text):
    tok = tokenizer(added=("<deliberated>",))
    number = tok.convert_tokens_to_ids("<deliberated>")
    said, _ = listen(
        "I say STOP.<deliberated>Yes STOP no", given=str(number) if as_text else number, tok=tok
    )
    assert said.text == "Yes "


def test_the_same_text_in_other_tokens_is_only_spoken_of():
    tok, plain = tokenizer(added=("<think>", "</think>")), tokenizer()
    spoken = plain("I end with\n</think>\nthen STOP.", add_special_tokens=False)["input_ids"]
    behind = tok("</think>Yes STOP no", add_special_tokens=False)["input_ids"]
    said, _ = listen([*spoken, *behind], BEGUN, tok=tok)
    assert said.text[slice(*said.facts["answer"])] == "Yes "


@pytest.mark.parametrize(
    "spoken", ["`</think>` and STOP", "the tag </think>, then STOP", "the </think> tag and STOP"]
)
def test_a_marker_that_is_spoken_of_ends_no_thought(spoken):
    said, _ = listen(f"I write {spoken}.\n</think>\nYes STOP no", BEGUN)
    assert said.text[slice(*said.facts["answer"])] == "\nYes "


def test_a_thought_that_is_cut_off_has_no_answer_and_keeps_its_text():
    said, unsaid = listen("I say STOP and so", BEGUN)
    assert (said.text, said.facts, unsaid) == ("I say STOP and so", {"answer": None}, 0)
    said, _ = listen("I say STOP and so", BEGUN, given="</think>")
    assert (said.text, said.facts) == ("I say ", {"answer": None}), "the harness's own text"


def test_a_model_that_thinks_again_is_not_cut_there_either():
    said, unsaid = listen("a\n</think>\nNo.\n<think>\nSTOP\n</think>\nYes STOP no", BEGUN)
    assert said.text[slice(*said.facts["answer"])] == "\nYes "
    assert unsaid == len(" no")
    said, _ = listen("a\n</think>\nYes.\n<think>\nSTOP", BEGUN)
    assert said.text[slice(*said.facts["answer"])] == "\nYes.\n"


def test_a_thought_that_the_prompt_has_ended_is_over():
    said, unsaid = listen("Yes STOP no", f"{BEGUN}\n</think>\n\n", given="</think>")
    assert (said, unsaid) == (None, len(" no"))


def test_a_program_that_speaks_of_thoughts_while_it_is_written_is_not_taken_for_one():
    program = '```python\ndef f():\n    """\n    <think>\n    a\n    </think>\n    """\n```'
    said, unsaid = listen(f"Hm.\n</think>\n{program} STOP no", BEGUN)
    assert said.text[slice(*said.facts["answer"])] == f"\n{program} "
    assert unsaid == len(" no")


SOLUTION = ("<end_of_solution>", "\nProblem:")
FORM = "<begin_of_slow_thought>\n"


def test_the_thought_of_a_tasks_own_form_may_speak_of_its_markers():
    script = "It ends with <end_of_solution>.\n<end_of_slow_thought>\n<begin_of_solution>x"
    said, unsaid = listen(f"{script}<end_of_solution>no", f"Problem:\n{FORM}", SOLUTION)
    assert (said.text, unsaid) == (script, len("no"))
    said, _ = listen(f"{FORM}{script}<end_of_solution>no", f"user: {FORM}{ASKED}", SOLUTION)
    assert said.text == FORM + script


def test_a_base_model_that_goes_on_to_the_next_problem_is_stopped_there():
    said, unsaid = listen("I do not know.\nProblem: no", f"Problem:\n{FORM}", SOLUTION)
    assert (said.text, unsaid) == ("I do not know.", len(" no"))


def test_the_form_stays_when_the_models_own_thought_is_left_out():
    form = f"{FORM}Twice.\n<end_of_slow_thought>\n<begin_of_solution>x"
    script = f"It ends with <end_of_solution>.\n</think>\n{form}<end_of_solution>no"
    said, _ = listen(script, BEGUN, SOLUTION, given="</think>")
    assert said.text == form


class Replicas:
    """What the harness's `vllm` model is with several replicas: texts, whole and all at once."""

    max_gen_toks, max_length = 64, 512

    def __init__(self, text, think_end_token=None):
        self.tokenizer, self.think_end_token = tokenizer(), think_end_token
        self.text, self.asked = text, []

    def tok_encode(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def generate_until(self, requests):
        assert self.think_end_token is None, "it would take thoughts out, and fail at a number"
        self.asked += [request.args for request in requests]
        return [self.text for _ in requests]


@pytest.mark.parametrize(
    ("given", "answer"),
    [(None, "I say STOP.\n</think>\nYes "), ("</think>", "Yes "), ("60", None)],
)
def test_replicas_are_asked_for_whole_texts_that_are_cut_behind_the_thought(given, answer):
    lm = Replicas("I say STOP.\n</think>\nYes STOP no", given)
    settings = {"until": ["STOP"], "max_gen_toks": 64}
    key = SampleKey(b"", 0)
    jobs = [Job(key, None, 0, BEGUN, settings, None)]
    said = []
    sample_replicas(lm, jobs, said.extend)
    assert lm.asked == [(BEGUN, {"until": [], "max_gen_toks": 64})]
    assert lm.think_end_token == given
    if answer is not None:
        assert said[0][1].text == answer
