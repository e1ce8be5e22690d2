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
from tests.tasks.any_passk.sums import Told, manager, write
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
    text = "Answer 2 (probability 0.1): 48\nAnswer 2 (probability 0.2):\n49\n---\n"
    text += "Answer 9 (probability 0.3)\n50"
    assert split(text) == [("48", 0.1), ("49\n---", 0.2), ("50", 0.3)]


def test_an_empty_answer_between_two_is_none():
    assert split(
        "Answer 1 (probability 0.1):\n\nAnswer 2 (probability 0.2):\nred\nAnswer 3 (probability 0.3):"
    ) == [("red", 0.2)]


def test_a_stop_string_ends_its_answer_alone():
    text = "Answer 1 (probability 0.1):\nred\nQ: no\nAnswer 2 (probability 0.2):\nblue\nQ: no"
    assert split(text, ["\nQ:", ""]) == [("red", 0.1), ("blue", 0.2)]
    assert split("Answer 1 (probability 0.1):\nQ: red", ["Q:"]) == [], "nothing is left of it"
    assert split("Answer 1 (probability 0.1):\n\nred\n\nblue", ["\n\n"]) == [("red", 0.1)]


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
    with pytest.raises(ProtocolError, match=r"demo_passk: verbalized=5 asks in a chat.*alpha 0"):
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


def saying(folder, task, script):
    """A checkpoint that says the script to the task's first question."""
    tok = tokenizer(CHAT)

    def apply(turns, add_generation_prompt=True):
        return tok.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=add_generation_prompt
        )

    task.build_all_requests(
        limit=1, rank=0, world_size=1, apply_chat_template=True, chat_template=apply
    )
    return scripted_model(folder / "model", tok, task.instances[0].args[0], script, 3072)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def coded(tmp_path_factory, our_tasks_alone, cache):
    """A run whose two calls give two answers of three each: its results, log line, metadata, and model."""
    model = str(saying(tmp_path_factory.mktemp("coded"), load("demo_passk", **TWO), CODE))
    arguments = {"base": model, "instruct": model, "alpha": 1, "backend": "hf", "dtype": "float32"}
    found = lm_eval.simple_evaluate(
        HindsightMerged(**arguments),
        tasks=["demo_passk"],
        task_manager=lm_eval.tasks.TaskManager(metadata=TWO),
        gen_kwargs={"max_gen_toks": 150},
        limit=1,
        bootstrap_iters=0,
    )
    (line,) = found["samples"]["demo_passk"]
    metadata = found["configs"]["demo_passk"]["metadata"]
    return found["results"]["demo_passk"], line, metadata, arguments


def test_calls_make_samples_and_what_is_missing_is_wrong(coded):
    results, line, *_ = coded
    (verdicts,) = line["filtered_resps"]
    statuses = [verdict["base_status"] for verdict in verdicts]
    assert statuses == ["pass", "fail", "fail", "pass", "fail"]
    assert verdicts[2]["reason"].startswith("unread: its call gave fewer answers")
    assert results["n_samples,scored"] == 5
    assert results["pass@1,scored"] == pytest.approx(2 / 5)
    assert results["verbalized_unread,scored"] == 1
    assert results["verbalized_surplus,scored"] == 0
    assert results["verbalized_calls,scored"] == 2
    assert results["unscored,scored"] == 0


def test_the_log_has_the_answers_and_what_the_calls_said_with_its_probabilities(coded):
    results, line, *_ = coded
    (samples,) = line["resps"]
    assert samples == [RIGHT, WRONG, "", RIGHT, WRONG], "cut at the task's stop strings"
    assert [call["probabilities"] for call in line["verbalized_calls"]] == [[0.7, 0.2]] * 2
    assert [call["text"] for call in line["verbalized_calls"]] == [CODE] * 2
    assert results["stated_probability,scored"] == pytest.approx(0.45)


def test_tokens_of_calls_are_counted_once_and_copies_among_what_was_said(coded):
    results, *_ = coded
    assert results["tokens_a_sample,scored"] == pytest.approx(2 * (len(CODE) + 1) / 5)
    assert results["equal_samples,scored"] == 2
    assert (results["generated,scored"], results["reused,scored"]) == (5, 0)


def test_calls_have_room_for_all_answers_and_no_stop_string(coded):
    _, line, metadata, _ = coded
    prompt, asked = line["arguments"][0]
    assert (asked["max_gen_toks"], asked["until"]) == (450, [])
    assert metadata["call"] == {"verbalized": 3, "calls": 2, "max_gen_toks": 450}
    assert INSTRUCTION.format(k=3) in prompt
    assert prompt.endswith(BEGUN)


def test_calls_are_kept_and_hm_cache_finds_them(coded):
    *_, arguments = coded
    args = ",".join(f"{name}={value}" for name, value in arguments.items())
    asked = ("--model_args", args, "--tasks", "demo_passk", "--limit", "1")
    asked += ("--gen_kwargs", "max_gen_toks=150", "--metadata", json.dumps(TWO))
    done = run("hm-cache", "plan", *asked)
    assert "demo_passk: 2 of 2 answers are kept, 0 to generate" in done.stdout, done.stderr


class Chatting(Told):
    """It says what it is told, in turns."""

    tokenizer_name = "told"

    def apply_chat_template(self, turns, add_generation_prompt=True):
        return "\n".join(turn["content"] for turn in turns)

    def chat_template(self, chat_template=False):
        return "told"


def answers(*texts):
    return "\n\n".join(f"Answer {n} (probability 0.5): {text}" for n, text in enumerate(texts, 1))


@pytest.fixture(scope="module")
def graded(tmp_path_factory, our_tasks_alone):
    """Each question in two calls that are to make two samples and one."""
    folder = write(tmp_path_factory.mktemp("inner"))
    right, wrong = "The answer is {}.", "The answer is 9."
    told = {
        "1 + 1": [answers(right.format(2), wrong), answers(right.format(2), wrong)],
        "2 + 3": [answers(wrong), answers(right.format(5))],
        "4 + 8": ["12", ""],
        "1 / 2": [f"<think>{answers(wrong)}</think>{answers(right.format(0.5))}", "<think>no end"],
    }
    model = Chatting(told)
    asked = {"passk_of": "sums", "verbalized": 2, "n_samples": 3, "k": [1, 3], "diversity": []}
    found = lm_eval.simple_evaluate(
        model,
        tasks=["any_passk"],
        task_manager=manager(folder, **asked),
        apply_chat_template=True,
        bootstrap_iters=0,
    )
    lines = [line for line in found["samples"]["sums_passk"] if line["filter"] == "strict"]
    return model, found["results"]["sums_passk"], {line["doc_id"]: line for line in lines}


def test_a_wrapped_task_asks_for_several_behind_its_question(graded):
    model, _, _ = graded
    assert len(model.asked) == 2 * 4
    for request in model.asked:
        prompt, asked = request.args
        assert prompt.startswith("Q: What is ")
        assert prompt.endswith(INSTRUCTION.format(k=2))
        assert (asked["until"], asked["max_gen_toks"]) == ([], 128)


def test_what_a_wrapped_tasks_calls_do_not_give_is_wrong_and_votes_for_nothing(graded):
    _, results, lines = graded
    statuses = {q: [g["status"] for g in line["filtered_resps"][0]] for q, line in lines.items()}
    assert statuses == {
        0: ["graded"] * 3,
        1: ["graded", "unread", "graded"],
        2: ["unread"] * 3,
        3: ["graded", "unread", "unread"],
    }
    scores = [g["scores"]["exact_match"] for g in lines[2]["filtered_resps"][0]]
    assert scores == [0.0] * 3
    assert all(g["same_as"] is None for g in lines[2]["filtered_resps"][0])
    # Two of three, one of three, none, one of three.
    assert results["pass@1,strict"] == pytest.approx(4 / 12)
    assert results["verbalized_unread,strict"] == 1 + 3 + 2
    assert results["verbalized_surplus,strict"] == 1
    assert results["verbalized_calls,strict"] == 8
    assert results["unfinished_thoughts,strict"] == 1, "the last call, which was to make one sample"
    assert "tokens_a_sample,strict" not in results, "this model tells of no tokens"


def test_an_answer_stands_behind_a_thought(graded):
    _, _, lines = graded
    assert lines[3]["resps"] == [["The answer is 0.5.", "", ""]]


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ({"gen_prefix": "It is"}, "any_passk: verbalized=2: sums begins the answer"),
        ({"generation_kwargs": {"until": ["x"]}}, "needs room for 2 answers, and nothing says how"),
    ],
)
def test_an_inner_task_that_leaves_no_room_is_refused(tmp_path, our_tasks_alone, inner, sentence):
    folder = write(tmp_path, **inner)
    asked = {"passk_of": "sums", "verbalized": 2, "n_samples": 2, "k": [1], "diversity": []}
    with pytest.raises(ProtocolError, match=sentence):
        lm_eval.simple_evaluate(
            Chatting({}),
            tasks=["any_passk"],
            task_manager=manager(folder, **asked),
            apply_chat_template=True,
        )


def test_a_sweep_takes_it_as_a_sampler_and_its_report_as_an_opponent(
    base, instruct, tmp_path, cache, our_tasks_alone
):
    folder = write(tmp_path)
    (folder / "mine.yaml").write_text("include: _any_passk_yaml\ntask: mine\npassk_of: sums\n")
    config = {
        "name": "tiny",
        "base": str(base),
        "instruct": str(instruct),
        "alphas": [1],
        "samplers": [{"temperature": 0.7}, {"temperature": 0.7, "verbalized": 2}],
        "tasks": ["mine"],
        "include_path": str(folder),
        "model_args": {"backend": "hf"},
        "metadata": {"n_samples": 3, "k": [1], "diversity": []},
        "gen_kwargs": {"max_gen_toks": 6},
        "batch_size": 4,
    }
    (tmp_path / "sweep.yaml").write_text(json.dumps(config))
    out = tmp_path / "out"
    done = run("hm-sweep", tmp_path / "sweep.yaml", "--output_path", out, "--quiet")
    assert done.returncode == 0, done.stderr
    several = out / "tiny" / "alpha1--temperature0.7--verbalized2"
    (found,) = find_runs([several]).runs
    assert str(found.sampler) == "temperature 0.7, top_p 0.95, verbalized 2"
    assert {len(line.samples) for line in read(found).lines()} == {3}
    assert found.values["verbalized_calls,strict"][0] == 8
    assert found.values["tokens_a_sample,strict"][0] > 0
    done = run("hm-report", out, "--out", tmp_path / "report", "--quiet")
    assert done.returncode == 0, done.stderr
    board = (tmp_path / "report" / "leaderboard.csv").read_text().splitlines()
    assert ["verbalized=2" in row for row in board[1:]] == [False, True]
