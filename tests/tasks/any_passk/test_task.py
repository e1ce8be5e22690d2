"""A task of the harness asked n times: its numbers, what results say, and what is refused."""

import json

import lm_eval
import pytest

from hm_metrics.answer_numbers import g_pass
from hm_models.settings import ProtocolError
from tests.instances import HAS_SCORERS
from tests.tasks.any_passk.sums import Told, manager, write

SAID = {
    "1 + 1": ["The answer is 2.", "The answer is 2.", "It is 2", "The answer is 3."],
    "2 + 3": ["The answer is 5.", "The answer is 6.", "The answer is 6.", "The answer is 6."],
    "4 + 8": ["I do not know", "", "The answer is 12.", "12 or 13"],
    "1 / 2": [
        "The answer is 1/2.",
        "The answer is 0.5.",
        "The answer is 0.50.",
        "The answer is 2.",
    ],
}
ASKED = {"passk_of": "sums", "n_samples": 4, "k": [1, 3], "diversity": []}


def run(folder, told=SAID, tasks=("any_passk",), gen_kwargs=None, **metadata):
    model = Told(told)
    found = lm_eval.simple_evaluate(
        model,
        tasks=list(tasks),
        task_manager=manager(folder, **(ASKED | metadata)),
        gen_kwargs=gen_kwargs,
        bootstrap_iters=0,
    )
    (name,) = found["results"]
    return name, found, model


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("sums"))
    return run(folder)


def test_each_filter_has_numbers_of_its_own(ran):
    name, found, _ = ran
    results = found["results"][name]
    assert name == "sums_passk", "two inner tasks are two tasks' results"
    assert results["pass@1,strict"] == pytest.approx((2 / 4 + 1 / 4 + 1 / 4 + 1 / 4) / 4)
    assert results["pass@1,last"] == pytest.approx((3 / 4 + 1 / 4 + 1 / 4 + 1 / 4) / 4)
    assert results["avg@n,strict"] == results["pass@1,strict"]
    # Of three of four: all subsets of the first question's have a right one, of the others' all but one.
    assert results["pass@3,strict"] == pytest.approx((1 + 3 * (3 / 4)) / 4)


def test_the_majority_is_over_all_subsets_and_the_unread_do_not_vote(ran):
    name, found, _ = ran
    results = found["results"][name]
    # strict, "4 + 8": one answer was read, and it is right: each subset of three with it has its vote.
    expected = {
        "1 + 1": (1 + 1 + 1 / 2 + 1 / 2) / 4,
        "2 + 3": 0,
        "4 + 8": 3 / 4,
        "1 / 2": (3 * 1 / 3) / 4,
    }
    assert results["maj@3,strict"] == pytest.approx(sum(expected.values()) / 4)


def test_answers_that_are_equal_in_mathematics_are_one_answer(tmp_path):
    pytest.importorskip("math_verify")
    name, found, _ = run(write(tmp_path), equal="math")
    lines = {
        line["doc"]["question"]: line
        for line in found["samples"][name]
        if line["filter"] == "strict"
    }
    grades = list(map(json.loads, map(str, lines["What is 1 / 2?"]["filtered_resps"][0])))
    assert [grade["same_as"] for grade in grades] == [0, 0, 0, 3]
    assert lines["What is 1 / 2?"]["distinct_answers"] == 2
    assert found["configs"][name]["metadata"]["equal"]["by"] == "math"
    assert found["configs"][name]["metadata"]["equal"]["version"]


def test_what_no_filter_can_read_is_counted_and_wrong_as_the_inner_task_says(ran):
    name, found, _ = ran
    results = found["results"][name]
    assert results["unread_answers,strict"] == 1 + 3
    assert results["unread_answers,last"] == 2
    line = next(line for line in found["samples"][name] if line["doc_id"] == 2)
    grades = list(map(json.loads, map(str, line["filtered_resps"][0])))
    assert [grade["status"] for grade in grades] == ["unread", "unread", "graded", "unread"]
    assert grades[0]["scores"] == {"exact_match": 0.0}
    assert grades[0]["same_as"] is None


def test_results_say_what_was_asked_of_whom(ran):
    name, found, model = ran
    config = found["configs"][name]
    metadata = config["metadata"]
    assert metadata["headline"] == {"filter": "strict", "metric": "exact_match"}
    assert metadata["inner"]["task"] == "sums"
    assert metadata["inner"]["version"] == 3.0
    assert metadata["inner"]["was_greedy"] is True
    assert metadata["binary"] == ["exact_match"]
    assert config["repeats"] == 4
    assert config["inner"]["doc_to_text"] == "Q: {{question}}\nA:"
    sent = model.asked[0].args[1]
    assert (sent["do_sample"], sent["temperature"], sent["top_p"]) == (True, 0.7, 0.95)
    assert sent["until"] == ["\n\n"]
    assert sent["max_gen_toks"] == 64
    assert model.asked[0].args[0] == "Q: What is 1 + 1?\nA:"
    assert found["n-samples"][name]["effective"] == 4


def test_g_pass_has_its_threshold_in_its_name(ran):
    name, found, _ = ran
    results = found["results"][name]
    # All three of three right: of the first question's four samples two are.
    assert results[f"{g_pass(3, 1.0)},strict"] == 0.0
    # Two of three: two of the four subsets of the first question's have both right ones.
    assert results[f"{g_pass(3, 0.5)},strict"] == pytest.approx((2 / 4) / 4)


def test_the_command_line_wins_over_the_tasks_sampling(tmp_path):
    *_, model = run(write(tmp_path), gen_kwargs={"temperature": 1.2, "max_gen_toks": 8})
    sent = model.asked[0].args[1]
    assert (sent["temperature"], sent["top_p"], sent["max_gen_toks"]) == (1.2, 0.95, 8)


def test_a_task_that_samples_keeps_its_sampling(tmp_path):
    own = {"until": ["\n\n"], "do_sample": True, "temperature": 0.6, "top_p": 0.9}
    name, found, model = run(write(tmp_path, generation_kwargs=own))
    assert model.asked[0].args[1] == own
    assert found["configs"][name]["metadata"]["inner"]["was_greedy"] is False


def test_three_lines_of_yaml_in_a_folder_of_ones_own_make_a_task(tmp_path):
    write(tmp_path)
    (tmp_path / "mine.yaml").write_text("include: _any_passk_yaml\ntask: mine\npassk_of: sums\n")
    metadata = {key: value for key, value in ASKED.items() if key != "passk_of"}
    found = lm_eval.simple_evaluate(
        Told(SAID), tasks=["mine"], task_manager=manager(tmp_path, **metadata), bootstrap_iters=0
    )
    assert found["results"]["mine"]["pass@1,strict"] == pytest.approx(5 / 16)


@pytest.mark.skipif(HAS_SCORERS, reason="0.5.0.dev1 refuses examples whose answer is digits alone")
@pytest.mark.parametrize("asked", [{}, {"system_instruction": "Add."}], ids=["plain", "system"])
def test_examples_are_the_inner_tasks_own(tmp_path, asked):
    found = lm_eval.simple_evaluate(
        Told({q: ["2"] * 20 for q in SAID}),  # the examples hold other questions, too
        tasks=["sums", "any_passk"],
        task_manager=manager(write(tmp_path), **ASKED),
        num_fewshot=2,
        bootstrap_iters=0,
        **asked,
    )
    prompts = {
        name: {line["doc_id"]: line["arguments"][0][0] for line in found["samples"][name]}
        for name in ("sums", "sums_passk")
    }
    assert prompts["sums_passk"] == prompts["sums"]
    assert all(prompt.count("A:") == 3 for prompt in prompts["sums"].values())
    assert found["n-shot"]["sums_passk"] == 2


def test_filters_and_metrics_can_be_chosen_and_ordered(tmp_path):
    name, found, _ = run(write(tmp_path), filters=["last"])
    assert "pass@1,last" in found["results"][name]
    assert "pass@1,strict" not in found["results"][name]
    assert found["configs"][name]["metadata"]["headline"]["filter"] == "last"


def test_a_task_without_filters_is_graded_by_its_whole_texts(tmp_path, caplog):
    told = {q: ["2", "2", "5", "0.5"] for q in SAID}
    name, found, _ = run(write(tmp_path, filter_list=None), told)
    assert found["results"][name]["pass@1,none"] == pytest.approx((2 + 1 + 0 + 1) / 16)
    assert "whole texts" not in caplog.text


def test_whole_texts_that_are_compared_as_answers_are_warned_of(tmp_path, caplog):
    told = {q: ["I add.\nIt is 2"] * 4 for q in SAID}
    run(write(tmp_path, filter_list=None), told)
    assert "equal=text compares these" in caplog.text


METRIC = """
def score(doc, results):
    words = results[0].split()
    return {"share": len(words) / 10, "both": [True, "2" in words], "right": "2" in words}

def share_of(items):
    every = [one for item in items for one in item]
    return sum(every) / len(every)
"""


def with_metrics(folder):
    (folder / "own.py").write_text(METRIC)
    write(folder, filter_list=None, metric_list=None)
    yaml = (folder / "sums.yaml").read_text()
    (folder / "sums.yaml").write_text(
        yaml
        + "process_results: !function own.score\nmetric_list:\n"
        + "  - {metric: right, aggregation: mean, higher_is_better: true}\n"
        + "  - {metric: share, aggregation: mean, higher_is_better: true}\n"
        + "  - metric: both\n    aggregation: !function own.share_of\n    higher_is_better: true\n"
    )
    return folder


def test_metrics_that_are_not_0_or_1_have_the_mean_and_the_best(tmp_path):
    told = {q: ["2", "a 2", "a b c", "a"] for q in SAID}
    name, found, _ = run(with_metrics(tmp_path), told)
    results = found["results"][name]
    assert found["configs"][name]["metadata"]["binary"] == ["right"]
    assert results["pass@1,none"] == 0.5
    assert results["share/avg@n,none"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.1) / 4)
    assert results["share/best@n,none"] == pytest.approx(0.3)
    assert "share/pass@1,none" not in results
    # By the task's own aggregation of one sample: half of the list, or all of it.
    assert results["both/avg@n,none"] == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    assert results["both/best@n,none"] == 1.0


def test_a_metric_of_which_less_is_better_is_left_out_and_named(tmp_path, caplog):
    folder = with_metrics(tmp_path)
    yaml = (folder / "sums.yaml").read_text()
    less = "metric: share, aggregation: mean, higher_is_better: "
    (folder / "sums.yaml").write_text(yaml.replace(f"{less}true", f"{less}false"))
    name, found, _ = run(folder, {q: ["2", "a 2", "a b c", "a"] for q in SAID})
    assert "share/avg@n,none" not in found["results"][name]
    assert "less is better of share, which is left out" in caplog.text


def refused(folder, **metadata):
    with pytest.raises(ProtocolError) as caught:
        run(folder, **metadata)
    return str(caught.value)


def test_a_task_that_does_not_generate_is_refused(tmp_path):
    folder = write(
        tmp_path,
        output_type="multiple_choice",
        doc_to_choice="['1', '2']",
        doc_to_target="0",
        filter_list=None,
        metric_list=None,
        generation_kwargs=None,
    )
    assert "its output_type is multiple_choice" in refused(folder)


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path):
    said = refused(write(tmp_path), passk_of="summs")
    assert "no task of this name" in said
    assert "The nearest: sums" in said


def test_no_name_is_refused_with_how_to_give_one(tmp_path):
    assert "--metadata" in refused(write(tmp_path), passk_of=None)


def test_what_cannot_be_is_refused_before_any_data_are_loaded(tmp_path):
    nowhere = {"data_files": {"test": str(tmp_path / "none.jsonl")}}
    write(tmp_path, "sums", dataset_kwargs=nowhere, repeats=8)
    write(tmp_path, "choice", dataset_kwargs=nowhere, output_type="multiple_choice", tag="both")
    write(tmp_path, "other", dataset_kwargs=nowhere, tag="both")
    (tmp_path / "group.yaml").write_text("group: arithmetic\ntask: [sums, {task: choice}]\n")
    assert "it asks 8 times" in refused(tmp_path)
    assert "its output_type is multiple_choice" in refused(tmp_path, passk_of="choice")
    assert "arithmetic is a group. Name one of its tasks: choice, sums." in refused(
        tmp_path, passk_of="arithmetic"
    )
    assert "both is a group. Name one of its tasks: choice, other." in refused(
        tmp_path, passk_of="both"
    )


def test_a_group_is_refused_with_its_members(tmp_path):
    write(tmp_path)
    (tmp_path / "group.yaml").write_text("group: arithmetic\ntask: [sums]\n")
    said = refused(tmp_path, passk_of="arithmetic")
    assert "arithmetic is a group" in said
    assert "sums" in said


def test_a_task_with_repeats_of_its_own_is_refused(tmp_path):
    assert "it asks 8 times by itself" in refused(write(tmp_path, repeats=8))


def test_k_above_n_is_refused(tmp_path):
    assert "pass@9" in refused(write(tmp_path), k=[9])


def test_an_unknown_filter_or_metric_is_refused_with_those_that_there_are(tmp_path):
    assert "the inner task has strict, last" in refused(write(tmp_path), filters=["stricter"])
    assert "the inner task has exact_match" in refused(write(tmp_path), metrics=["acc"])


def test_greedy_samples_are_refused(tmp_path):
    with pytest.raises(ProtocolError, match="copies"):
        run(write(tmp_path), gen_kwargs={"do_sample": False})


SEVERAL = """
def score(doc, results):
    return {"right": results[1] == "2"}

def words(doc, results):
    return {"right": "yes"}

def mean(items):
    return sum(items) / len(items)
"""


@pytest.mark.parametrize(("function", "why"), [("score", "IndexError"), ("words", "right")])
def test_a_task_that_cannot_score_one_answer_is_refused_before_a_model_is_asked(
    tmp_path, function, why
):
    (tmp_path / "several.py").write_text(SEVERAL)
    write(tmp_path, filter_list=None, metric_list=None)
    yaml = (tmp_path / "sums.yaml").read_text()
    (tmp_path / "sums.yaml").write_text(
        yaml + f"process_results: !function several.{function}\nmetric_list:\n"
        "  - {metric: right, aggregation: mean, higher_is_better: true}\n"
    )
    said = refused(tmp_path)
    assert "cannot grade one answer by itself" in said
    assert why in said


def test_a_sample_that_breaks_the_tasks_own_code_is_unscored_and_counted(tmp_path):
    (tmp_path / "breaks.py").write_text(
        "def score(doc, results):\n    return {'right': 1 / len(results[0]) < 1}\n"
    )
    write(tmp_path, filter_list=None, metric_list=None)
    yaml = (tmp_path / "sums.yaml").read_text()
    (tmp_path / "sums.yaml").write_text(
        yaml + "process_results: !function breaks.score\nmetric_list:\n"
        "  - {metric: right, aggregation: mean, higher_is_better: true}\n"
    )
    told = {q: ["22", "", "2", "22"] for q in SAID}
    name, found, _ = run(tmp_path, told, max_unscored=0.5)
    results = found["results"][name]
    assert results["unscored,none"] == 4
    assert results["pass@1,none"] == pytest.approx(2 / 3)
    name, found, _ = run(tmp_path, told)
    assert found["results"][name]["pass@1,none"] == "unscored: 4 of 16"
