"""Grades of an inner task's samples: one sample alone, in an isolated process, within limits."""

import dataclasses
import json

import pytest
from lm_eval.tasks import TaskManager

from hm_metrics.graded import BEYOND_LIMITS, GRADED, UNREAD, Graded
from hm_metrics.verdict import UNSCORED
from hm_tasks.any_passk import grading
from hm_tasks.any_passk.grading import Grader, grade
from hm_tasks.any_passk.settings import Settings
from hm_tasks.sandbox.isolation.prove import strongest
from tests.tasks.any_passk.sums import write

SETTINGS = Settings.of({"seconds": 20, "memory_mib": 512})

CODE = """
import os, time
import numpy as np
from lm_eval.api.filter import Filter

def share(items):
    return sum(sum(item) for item in items) / sum(len(item) for item in items)

def longest(items):
    return max(items)

class Counting(Filter):
    seen = 0
    def apply(self, resps, docs):
        self.seen += 1
        return [f"{self.seen} of {len(resps)} of {len(docs)}: {''.join(r)}" for r in resps]

class Nothing(Filter):
    def apply(self, resps, docs):
        return [None for _ in resps]

VALUES = {
    "true": True, "numpy": np.bool_(True), "float": np.float32(0.5), "list": [True, False],
    "words": "yes", "nan": float("nan"), "none": None,
}

def of_value(doc, results):
    return {"right": VALUES[results[0]]} if results[0] in VALUES else {"wrong": 1}

def of_text(doc, results):
    (text,) = results
    if text == "hangs":
        while True: pass
    if text == "large":
        bytearray(1 << 40)
    if text == "ends":
        os._exit(0)
    if text == "nested":
        return of_text(doc, results)
    if text == "raises":
        raise LookupError("no such thing")
    if text == "writes":
        open(doc["question"], "w").write("x")
    if text == "forges":
        from hm_tasks.any_passk import grading
        grading.grade = lambda *_: {"none": {"answer": "", "scores": {"right": "1"}, "status": "pass"}}
    if text == "draws":
        return {"right": int.from_bytes(os.urandom(4), "big")}
    return {"right": text == doc["answer"]}
"""


def task_in(folder, function=None, aggregation="mean", **more):
    """The task `sums`, with scores and filters of CODE."""
    (folder / "code.py").write_text(CODE)
    if function is None:
        write(folder, **more)
    else:
        write(folder, **{"filter_list": None, "metric_list": None} | more)
        metric = {"metric": "right", "higher_is_better": True}
        own = f", aggregation: {aggregation}}}"
        with open(folder / "sums.yaml", "a") as file:
            file.write(f"process_results: !function code.{function}\nmetric_list:\n")
            file.write(f"  - {json.dumps(metric)[:-1]}{own}\n")
    tasks = TaskManager(include_path=str(folder), include_defaults=False)
    (task,) = tasks.load(["sums"])["tasks"].values()
    return task


def grader_of(task, filters=("none",), metrics=("right",), settings=SETTINGS):
    return Grader(task, list(task.eval_docs), filters, metrics, settings)


def graded(task, texts, filters=("none",), metrics=("right",), settings=SETTINGS):
    """The grades of samples of the first question, by filter."""
    with grader_of(task, filters, metrics, settings) as grader:
        return grader.grades([texts])[0]


def test_each_filter_makes_its_own_answer_and_score(tmp_path):
    texts = ["The answer is 2.", "so 2", "The answer is 3. Or 2", "none", "The answer is 2."]
    found = graded(task_in(tmp_path), texts, ("strict", "last"), ("exact_match",))
    assert [g.answer for g in found["strict"]] == ["2", "[invalid]", "3", "[invalid]", "2"]
    assert [g.answer for g in found["last"]] == ["2", "2", "2", "[invalid]", "2"]
    assert [g.scores["exact_match"] for g in found["strict"]] == [1, 0, 0, 0, 1]
    assert [g.same_as for g in found["strict"]] == [0, None, 2, None, 0]
    assert [g.same_as for g in found["last"]] == [0, 0, 0, None, 0]
    unread = [(g.status == UNREAD, bool(g.reason)) for g in found["strict"]]
    assert unread == [(False, False), (True, True), (False, False), (True, True), (False, False)]


def test_a_sample_goes_through_a_fresh_chain_alone(tmp_path):
    task = task_in(tmp_path, "of_text", filter_list=None)
    with open(tmp_path / "sums.yaml", "a") as file:
        file.write(
            "filter_list:\n- name: counted\n  filter:\n  - function: !function code.Counting\n"
            "- name: nothing\n  filter:\n  - function: !function code.Nothing\n"
        )
    (task,) = (
        TaskManager(include_path=str(tmp_path), include_defaults=False)
        .load(["sums"])["tasks"]
        .values()
    )
    found = graded(task, ["a", "b", "c"], ("counted", "nothing"))
    assert [g.answer for g in found["counted"]] == [f"1 of 1 of 1: {text}" for text in "abc"]
    assert {(g.answer, g.status, g.same_as) for g in found["nothing"]} == {("", UNREAD, None)}


def test_only_a_filters_fallback_is_unread_and_not_an_answer_of_that_name(tmp_path):
    found = graded(task_in(tmp_path, "of_text"), ["[invalid]", "", " \n", "2"])
    assert [g.status for g in found["none"]] == [GRADED, UNREAD, UNREAD, GRADED]


@pytest.mark.parametrize(
    ("text", "expected"), [("true", 1.0), ("numpy", 1.0), ("float", 0.5), ("list", 0.5)]
)
def test_a_score_is_a_number_or_the_tasks_own_aggregation_of_it(tmp_path, text, expected):
    task = task_in(tmp_path, "of_value", "!function code.share")
    found = grade(task, task.eval_docs[0], text, ["none"], ["right"])["none"]
    assert found["scores"] == {"right": expected}
    assert type(found["scores"]["right"]) is float


@pytest.mark.parametrize("text", ["words", "nan", "none", "no such metric"])
@pytest.mark.parametrize("aggregation", ["!function code.share", "!function code.longest", "mean"])
def test_a_score_that_is_no_number_is_no_score_and_its_metric_is_named(tmp_path, text, aggregation):
    task = task_in(tmp_path, "of_value", aggregation)
    found = grade(task, task.eval_docs[0], text, ["none"], ["right"])["none"]
    assert (found["scores"], found["status"]) == ({}, UNSCORED)
    assert "the metric right" in found["reason"]


def test_what_an_answer_breaks_costs_that_answer_alone(tmp_path):
    task = task_in(tmp_path, "of_text")
    outside = tmp_path / "outside"
    docs = [dict(task.eval_docs[0]) | {"question": str(outside)}]
    settings = dataclasses.replace(SETTINGS, seconds=0.5)
    breaking = {
        "hangs": (BEYOND_LIMITS, "time"),
        "large": (BEYOND_LIMITS, "memory"),
        "nested": (BEYOND_LIMITS, "memory"),
        "ends": (BEYOND_LIMITS, "ends the process"),
        "raises": (UNSCORED, "LookupError: no such thing"),
    }
    if strongest() != "rlimit":
        breaking["writes"] = (UNSCORED, "Error")
    texts = [text for name in breaking for text in ("2", name, "3")]
    with Grader(task, docs, ["none"], ["right"], settings) as grader:
        found = grader.grades([texts])[0]["none"]
    assert [g.scores for g in found[::3]] == [{"right": 1.0}] * len(breaking)
    assert [g.scores for g in found[2::3]] == [{"right": 0.0}] * len(breaking)
    for one, (status, reason) in zip(found[1::3], breaking.values(), strict=True):
        assert one.status == status
        assert reason in one.reason
        assert one.scores == ({} if status == UNSCORED else {"right": 0.0})
        assert one.same_as is None
    assert not outside.exists()


def test_a_filter_that_takes_for_ever_is_ended(tmp_path):
    chain = [{"function": "regex", "regex_pattern": "^(a+)+$"}, {"function": "take_first"}]
    task = task_in(tmp_path, filter_list=[{"name": "evil", "filter": chain}])
    settings = dataclasses.replace(SETTINGS, seconds=0.5)
    texts = ["aaa", "a" * 60 + "!", "aaa"]
    found = graded(task, texts, ("evil",), ("exact_match",), settings)["evil"]
    assert [g.status for g in found] == [GRADED, BEYOND_LIMITS, GRADED]


def test_grades_that_are_none_are_the_answers_doing(tmp_path):
    with grader_of(task_in(tmp_path, "of_text")) as grader:
        for _ in range(20):  # all workers, so that whoever is asked next has been got hold of
            grader._guarded.add(("grade", 0, "forges"), 5.0, 1 << 30).result()
        (found,) = grader.grades([["2"]])[0]["none"]
    assert (found.status, found.scores) == (BEYOND_LIMITS, {"right": 0.0})


@pytest.mark.parametrize(
    "forged",
    [None, [], "x", 1, {"none": None}, {"none": {}}, {"none": {"answer": 1, "status": GRADED}},
     {"none": {"answer": "", "scores": {}, "status": GRADED, "reason": ""}},
     {"none": {"answer": "", "scores": {"right": "one"}, "status": GRADED, "reason": ""}},
     {"none": {"answer": "", "scores": [1], "status": GRADED, "reason": ""}},
     {"none": {"answer": "", "scores": {"right": 1}, "status": BEYOND_LIMITS, "reason": ""}}],
)  # fmt: skip
def test_what_comes_back_is_a_grade_or_is_not_believed(tmp_path_factory, forged, one_grader):
    found = one_grader._graded("text", forged)["none"]
    assert found == Graded("", {"right": 0.0}, None, BEYOND_LIMITS, found.reason)


@pytest.fixture(scope="module")
def one_grader(tmp_path_factory):
    with grader_of(task_in(tmp_path_factory.mktemp("sums"), "of_text")) as made:
        yield made


def test_a_text_that_comes_twice_is_graded_once_for_each_question(one_grader):
    one_grader.add(0, "draws")
    found = one_grader.grades([["draws", "2", "draws"], ["draws"]])
    first, _, again = (g.scores["right"] for g in found[0]["none"])
    assert first == again
    assert first != found[1]["none"][0].scores["right"]


def test_samples_are_compared_within_their_question(one_grader):
    found = one_grader.grades([["a", "b", "a"], ["b", "a"], []])
    assert [[g.same_as for g in of["none"]] for of in found] == [[0, 1, 0], [0, 1], []]


def test_a_long_response_is_held_once(one_grader):
    text = "word " * 1000
    ((found,),) = (of["none"] for of in one_grader.grades([[text]]))
    assert found.answer is text


def test_what_cannot_grade_is_found_out_by_one_answer(tmp_path, one_grader):
    assert one_grader.try_one() == ""
    task = task_in(tmp_path, "of_value", "!function code.share")
    with grader_of(task) as grader:
        assert "the metric right is not given" in grader.try_one()


def test_grading_is_isolated_as_asked_and_says_how(one_grader, tmp_path):
    assert one_grader.level == strongest()
    assert one_grader.equality == {"by": "text"}
    settings = dataclasses.replace(SETTINGS, isolation="rlimit")
    with grader_of(task_in(tmp_path, "of_text"), settings=settings) as grader:
        assert grader.level == "rlimit"
        assert grader.grades([["2"]])[0]["none"][0].scores == {"right": 1.0}


def test_after_its_end_nothing_is_graded_and_nobody_waits(tmp_path):
    with grader_of(task_in(tmp_path, "of_text")) as grader:
        pass
    (found,) = grader.grades([["2"]])[0]["none"]
    assert (found.status, found.scores) == (UNSCORED, {})


@pytest.fixture(scope="module")
def mathematical(tmp_path_factory):
    pytest.importorskip("math_verify")
    task = task_in(tmp_path_factory.mktemp("sums"))
    settings = dataclasses.replace(SETTINGS, equal="math")
    with grader_of(task, ("strict", "last"), ("exact_match",), settings) as made:
        yield made


def test_equal_answers_are_grouped_for_each_filter(mathematical):
    texts = ["2.0", "The answer is 2.", "The answer is 4/2.", "no", "The answer is 6."]
    (found,) = mathematical.grades([texts])
    assert [g.same_as for g in found["strict"]] == [None, 1, 1, None, 4]
    assert [g.same_as for g in found["last"]] == [0, 0, 0, None, 4]
    assert mathematical.equality["by"] == "math"


def test_whole_responses_are_compared_by_the_answer_in_them(tmp_path):
    pytest.importorskip("math_verify")
    task = task_in(tmp_path, "of_text")
    settings = dataclasses.replace(SETTINGS, equal="math")
    texts = ["So\n\\boxed{2}", "Hm.\nThe answer is 4/2.", "I pass.\nSorry", "2"]
    found = graded(task, texts, settings=settings)["none"]
    assert [g.same_as for g in found] == [0, 0, None, 0]
    assert [g.status for g in found] == [GRADED, GRADED, UNREAD, GRADED]
    assert found[3].scores == {"right": 1.0}


def test_an_answer_that_hangs_the_comparison_keeps_its_score_and_is_counted(tmp_path, monkeypatch):
    pytest.importorskip("math_verify")
    monkeypatch.setattr(grading.equal, "SECONDS", 0.5)
    task = task_in(tmp_path, "of_text")
    settings = dataclasses.replace(SETTINGS, equal="math")
    texts = ["1/2", "10^{10^{10}}", "0.5", "(10^9)!", "10^{10^{10}}"]
    with grader_of(task, settings=settings) as grader:
        found = grader.grades([texts])[0]["none"]
        assert grader.equality["beyond_limits"] == 2
    assert [g.same_as for g in found] == [0, 1, 0, 3, 1]
    assert {g.status for g in found} == {GRADED}
    assert [("time" in g.reason) for g in found] == [False, True, False, True, True]
