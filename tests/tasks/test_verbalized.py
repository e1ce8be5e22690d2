"""Several answers out of one call: the form, what is missing, what it costs, and where it is refused."""

import json

import lm_eval
import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.logs.task_log import read
from hm_models.errors import RecipeError
from hm_models.merged import HindsightMerged
from hm_models.plugin.contracts import StylesPrompts
from hm_models.prompts.rendered import ChatTemplateError
from hm_models.samples.generation import checked
from hm_models.settings import ProtocolError
from hm_tasks.verbalized import BEGUN, INSTRUCTION, Verbalized
from tests.entry_points import run
from tests.models.samples.scripted import CHAT, scripted_model, tokenizer
from tests.tasks.any_passk.sums import manager, write
from tests.tasks.code_passk.benchmarks import load

RIGHT = "```python\ndef larger_number(a, b):\n    return max(a, b)\n```"
WRONG = "```python\ndef larger_number(a, b):\n    return a\n```"
# Two answers of three; the first one's stop string would end a call that kept to it.
CODE = f" 0.7):\n{RIGHT}\nprint(larger_number(1, 2))\n\nAnswer 2 (probability 20%):\n{WRONG}"
TWO = {"verbalized": 3, "n_samples": 5, "k": [1, 5], "diversity": []}


def split(text, until=()):
    found = Verbalized(3, 3, tuple(until)).split(text)
    return [(one.text, one.probability) for one in found]


@pytest.mark.parametrize(
    ("line", "probability"),
    [
        ("Answer 1 (probability 0.4):", 0.4),
        ("Answer 1 (probability: 0.4)", 0.4),
        ("**Answer 1 (probability .4):**", 0.4),
        ("### answer 1, Probability = 40%", 0.4),
        ("- Answer 1 [probability 40 %]:", 0.4),
        ("Answer 7 (probability 1):", 1.0),
        ("Answer 1 (probability 0):", 0.0),
        ("Answer 1 (probability high):", None),
        ("Answer 1 (probability 1.5):", None),
        ("Answer 1 (probability -0.4):", None),
        ("Answer 1 (probability nan):", None),
        ("Answer 1 (probability 1/3):", None),
        ("Answer 1 (probability ):", None),
        ("Answer 1 (probability", None),
    ],
)
def test_a_line_begins_an_answer_whatever_its_probability(line, probability):
    assert split(f"{line}\n  red\nand blue\n\n") == [("  red\nand blue", probability)]
    assert split(f"Sure.\n\n{line}\nred") == [("red", probability)], "what stands before is none"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "red\nblue",
        "Answer 1:\nred\n\nAnswer 2:\nblue",  # without a probability
        "1. red (probability 0.4)",
        "I think that Answer 1 (probability 0.4): red",  # within a line
        "Answer one (probability 0.4):\nred",
        "Answer 1 (probability 0.4):",
        "Answer 1 (probability 0.4):\n \n\t\n",
        '{"answer": "red", "probability": 0.4}',
    ],
)
def test_what_keeps_to_no_form_is_no_answer(text):
    assert split(text) == []


def test_answers_are_taken_in_order_and_their_numbers_are_not_believed():
    text = "Answer 2 (probability 0.1): 48\nAnswer 2 (probability 0.2):\n49\n---\nAnswer 9 (probability 0.3)\n50"
    assert split(text) == [("48", 0.1), ("49\n---", 0.2), ("50", 0.3)]


def test_an_empty_answer_between_two_is_none():
    assert split(
        "Answer 1 (probability 0.1):\n\nAnswer 2 (probability 0.2):\nred\nAnswer 3 (probability 0.3):"
    ) == [("red", 0.2)]


def test_a_stop_string_ends_its_answer_alone():
    text = "Answer 1 (probability 0.1):\nred\nQ: no\nAnswer 2 (probability 0.2):\nblue\nQ: no"
    assert split(text, ["\nQ:", ""]) == [("red", 0.1), ("blue", 0.2)]
    assert split("Answer 1 (probability 0.1):\nQ: red", ["Q:"]) == [], "nothing is left of it"


def test_a_long_text_without_the_form_is_read_at_once():
    assert split("Answer 1 " + "( " * 20_000 + "\n" + "> " * 20_000) == []


@pytest.mark.parametrize("asked", [1, 0, -2, 2.0, "5", True, 12, [5]])
def test_a_number_of_answers_that_cannot_be_is_refused(asked):
    with pytest.raises(ProtocolError, match="a whole number, 2 at least, and n_samples=11 at most"):
        load("demo_passk", verbalized=asked)


def test_traces_have_a_form_of_their_own():
    with pytest.raises(ProtocolError, match="mbppplus_traces: verbalized=5: this task has a form"):
        load("mbppplus_traces", verbalized=5)


def test_it_is_no_parameter_of_sampling():
    with pytest.raises(RecipeError, match=r'setting of the task: --metadata \'{"verbalized": 5}\''):
        checked({"verbalized": 5})


class Completing(StylesPrompts):
    prompt_style = "completion"


@pytest.mark.parametrize("model", [None, Completing()])
def test_prompts_to_complete_are_refused_before_anything_is_asked(model):
    task = load("demo_passk", verbalized=5)
    task.meet(model)
    with pytest.raises(ProtocolError, match="demo_passk: verbalized=5 asks in a chat.*alpha 0"):
        task.build_all_requests(rank=0, world_size=1)


def test_a_template_that_loses_the_question_for_several_is_named():
    def cut(turns, **_):
        return turns[-1]["content"].partition("\n\nGive")[0]

    call = Verbalized(5, 5)
    prompt = call.asking(cut)([{"role": "user", "content": "Well?"}])
    with pytest.raises(ChatTemplateError, match="leaves out or changes what asks for 5 answers"):
        call.check(prompt)


def test_a_template_may_want_lists_of_parts():
    parts = [{"type": "text", "text": "Well?"}]
    asked = Verbalized(5, 5).asking(lambda turns, **_: turns)([{"role": "user", "content": parts}])
    assert [part["text"] for part in asked[0]["content"]][1].strip() == INSTRUCTION.format(k=5)
    assert parts == [{"type": "text", "text": "Well?"}], "what is given is not changed"


def saying(folder, task, script, asked):
    """hm-merged on transformers, a model that says the script to the task's first question."""
    tok = tokenizer(CHAT)

    def apply(turns, add_generation_prompt=True):
        return tok.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=add_generation_prompt
        )

    task.build_all_requests(limit=1, rank=0, world_size=1, apply_chat_template=True, chat_template=apply)
    model = str(scripted_model(folder / "model", tok, task.instances[0].args[0], script, 3072))
    return HindsightMerged(
        base=model, instruct=model, alpha=1.0, backend="hf", device="cpu", dtype="float32", **asked
    )  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def coded(tmp_path_factory, our_tasks_alone, cache):
    """A run whose two calls give two answers of three each: its results, its log line, and how it was asked."""
    folder = tmp_path_factory.mktemp("coded")
    model = saying(folder, load("demo_passk", **TWO), CODE, {})
    found = lm_eval.simple_evaluate(
        model,
        tasks=["demo_passk"],
        task_manager=lm_eval.tasks.TaskManager(metadata=TWO),
        gen_kwargs={"max_gen_toks": 150},
        limit=1,
        bootstrap_iters=0,
    )
    (line,) = found["samples"]["demo_passk"]
    return found["results"]["demo_passk"], line, found["configs"]["demo_passk"]["metadata"]


def test_calls_make_samples_and_what_is_missing_is_wrong(coded):
    results, line, _ = coded
    verdicts = [json.loads(str(record)) for record in line["filtered_resps"]]
    assert [verdict["base_status"] for verdict in verdicts] == ["pass", "fail", "fail", "pass", "fail"]
    assert verdicts[2]["reason"].startswith("unread: its call gave fewer answers")
    assert results["n_samples,scored"] == 5
    assert results["pass@1,scored"] == pytest.approx(2 / 5)
    assert results["verbalized_unread,scored"] == 1
    assert results["verbalized_surplus,scored"] == 0
    assert results["verbalized_calls,scored"] == 2
    assert results["unscored,scored"] == 0


def test_the_log_has_the_answers_and_what_the_calls_said_with_its_probabilities(coded):
    results, line, _ = coded
    (samples,) = line["resps"]
    assert samples == [RIGHT, WRONG, "", RIGHT, WRONG], "cut at the task's stop strings"
    assert [call["probabilities"] for call in line["verbalized_calls"]] == [[0.7, 0.2]] * 2
    assert [call["text"] for call in line["verbalized_calls"]] == [CODE] * 2
    assert results["stated_probability,scored"] == pytest.approx(0.45)


def test_tokens_of_calls_are_counted_once_and_copies_among_what_was_said(coded):
    results, _, _ = coded
    assert results["tokens_a_sample,scored"] == pytest.approx(2 * (len(CODE) + 1) / 5)
    assert results["equal_samples,scored"] == 2
    assert (results["generated,scored"], results["reused,scored"]) == (5, 0)


def test_calls_have_room_for_all_answers_and_no_stop_string(coded):
    _, line, metadata = coded
    prompt, asked = line["arguments"][0]
    assert (asked["max_gen_toks"], asked["until"]) == (450, [])
    assert metadata["call"] == {"verbalized": 3, "calls": 2, "max_gen_toks": 450}
    assert INSTRUCTION.format(k=3) in prompt
    assert prompt.endswith(BEGUN)
