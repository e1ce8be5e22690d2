"""A wrapped task's log: its numbers come from the grades, the headline's filter speaks for a question."""

import dataclasses
import json

import numpy as np
import pytest

from hm_metrics.graded import Graded
from hm_metrics.logs.results import find_runs
from hm_metrics.logs.samples import LogError, Logged
from hm_metrics.logs.task_log import ANSWERS, Log, read
from tests.metrics.report.made_answers import HEADLINE, STRICT, WRAPPED, answers
from tests.metrics.report.made_runs import merge, write_run


def log_of(folder, task: dict) -> Log:
    write_run(folder, merge(0.7), {WRAPPED: task})
    (run,) = find_runs([folder]).runs
    return read(run)


def test_numbers_of_the_headline_have_bare_names(tmp_path):
    log = log_of(tmp_path, answers(["AAbb", "A.!c"]))
    assert log.kind == ANSWERS
    np.testing.assert_allclose(log.values["pass@1"], [1 / 2, 1 / 4])
    np.testing.assert_allclose(log.values["pass@2"], [5 / 6, 1 / 2])
    # Pairs of the first: AA right, bb wrong, four tie. Of the second: A alone, or beside c, a tie.
    np.testing.assert_allclose(log.values["maj@2"], [(1 + 4 / 2) / 6, (2 + 1 / 2) / 6])
    np.testing.assert_allclose(log.values["g_pass@2_1.0"], [1 / 6, 0])
    np.testing.assert_allclose(log.values["avg@n"], [1 / 2, 1 / 4])
    np.testing.assert_allclose(log.values["distinct_answers"], [2, 2])
    assert list(log.counts["pass"]) == [2, 1]
    assert list(log.counts["scored"]) == [4, 4]


def test_numbers_of_other_metrics_and_filters_say_whose_they_are(tmp_path):
    log = log_of(tmp_path, answers(["AAba", "Acc."]))
    np.testing.assert_allclose(log.values["f1/avg@n"], [2.5 / 4, 1 / 4])
    np.testing.assert_allclose(log.values["f1/best@n"], [1, 1])
    assert not {"f1/pass@1", "f1/maj@1"} & log.values.keys()
    np.testing.assert_allclose(log.values[f"distinct_answers,{STRICT}"], [1, 1])
    # Who gives no answer casts no vote: of six pairs one has no A, or three have none.
    np.testing.assert_allclose(log.values[f"maj@2,{STRICT}"], [5 / 6, 1 / 2])
    np.testing.assert_allclose(log.values["maj@2"], [1 / 6 + 4 / 2 / 6, (1 + 2 / 2) / 6])
    np.testing.assert_allclose(log.values[f"unread_answers,{STRICT}"], [2, 3])
    np.testing.assert_allclose(log.values["unread_answers"], [0, 1])


def test_a_headline_that_is_no_share_has_a_mean_and_a_best(tmp_path):
    log = log_of(tmp_path, answers(["Aaab", "aabb"], binary=False))
    np.testing.assert_allclose(log.values["avg@n"], [2 / 4, 1 / 4])
    np.testing.assert_allclose(log.values["best@n"], [1, 1 / 2])
    assert "pass@1" not in log.values
    assert "pass" not in log.counts
    np.testing.assert_allclose(log.values["exact_match/pass@2"], [1 / 2, 0])


def test_what_broke_down_is_left_out_and_what_went_beyond_limits_is_wrong(tmp_path):
    log = log_of(tmp_path, answers(["A?", "A!", "??"]))
    np.testing.assert_allclose(log.values["pass@1"], [1, 1 / 2, np.nan])
    np.testing.assert_allclose(log.values["maj@2"], [np.nan, 1, np.nan])
    assert (log.samples, log.unscored) == (6, 3)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_headlines_line_speaks_for_a_question_whatever_the_order(tmp_path, reverse):
    task = answers(["Ab", "bb"])
    if reverse:
        task["lines"].reverse()
    log = log_of(tmp_path, task)
    assert [line.filter for line in log.at("1")] == [HEADLINE, STRICT]
    assert {line.filter for line in log.lines()} == {HEADLINE}
    assert log.n_samples == 2
    assert log.at("7") == []


def test_grades_are_read_as_they_were_written():
    graded = [Graded("½ \u2028 {", {"acc": 0.5}, 0), Graded("", {}, None, "unscored", "it ended")]
    said = [str(g.record()) for g in graded]
    line = Logged({"doc": {}, "doc_id": 0, "resps": [["a", "b"]], "filtered_resps": [said]})
    assert line.grades == graded
    assert line.verdicts == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("same_as", 2, "same_as is the number of none"),
        ("same_as", 0.5, "neither a sample's number nor null"),
        ("scores", {"acc": "1"}, "acc is 1, no number"),
        ("scores", [1], "scores are a list"),
        ("scores", {}, "has no scores"),
        ("status", "fine", "status is 'fine'"),
        ("answer", 3, "answer is a int, not text"),
    ],
)
def test_a_grade_of_another_form_is_named(field, value, says):
    record = dataclasses.asdict(Graded("3", {"acc": 1.0}, 0)) | {field: value}
    said = [json.dumps(record), str(Graded("4", {"acc": 0.0}, 1).record())]
    line = Logged({"doc": {}, "doc_id": 0, "resps": [["a", "b"]], "filtered_resps": [said]})
    with pytest.raises(LogError, match=says):
        _ = line.grades


def test_samples_of_which_some_have_no_grade_are_no_log(tmp_path):
    task = answers(["Ab", "bb"])
    task["lines"][1]["filtered_resps"][0][0] = "an answer"
    with pytest.raises(LogError, match=r"line 2.*1 of 2 samples have a grade, the others none"):
        log_of(tmp_path, task)


def test_a_log_whose_results_name_no_headline_is_refused(tmp_path):
    with pytest.raises(LogError, match="its results name no headline"):
        log_of(tmp_path, answers(["Ab"], headline={"filter": HEADLINE}))


def test_a_headline_that_no_line_or_grade_has_is_named(tmp_path):
    with pytest.raises(LogError, match=r"question '0' has no line of the filter none"):
        log_of(tmp_path / "a", answers(["Ab"], headline={"filter": "none", "metric": "f1"}))
    with pytest.raises(LogError, match="a grade has no bleu"):
        log_of(tmp_path / "b", answers(["Ab"], headline={"filter": HEADLINE, "metric": "bleu"}))


def test_questions_whose_data_gives_them_one_id_stay_two(tmp_path):
    task = answers(["Ab", "bb"])
    for line in task["lines"]:
        line["doc"]["question_id"] = "tc_33"
    assert log_of(tmp_path, task).questions == ["0", "1"]


def test_a_question_that_a_filter_has_twice_is_named(tmp_path):
    task = answers(["Ab"])
    task["lines"].append(task["lines"][0])
    with pytest.raises(LogError, match="question '0' is there twice"):
        log_of(tmp_path, task)
