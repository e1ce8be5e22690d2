"""`hm-report` on tasks that wrap another: columns, differences, figures, rules, samples and exports."""

import csv
import json
from functools import partial

import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report.browser import questions
from hm_metrics.report.build import Report, ReportSettings, build
from hm_metrics.report.choice import ChoiceError
from hm_metrics.report.comparisons import to_instruct
from hm_metrics.report.contest_pictures import forecast_pictures
from hm_metrics.report.forecast import forecasts
from hm_metrics.report.leaderboard import columns_of
from hm_metrics.report.pictures import what_counts
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.entry_points import run
from tests.metrics.report.made_answers import WRAPPED, answers
from tests.metrics.report.made_runs import CODE, code, merge, write_run

hm_report = partial(run, "hm-report")
OTHER = "ifeval_passk"
WORDS = {
    0.0: ["Abca"] * 6 + ["bbcd"] * 4,
    0.7: ["AAAb"] * 7 + ["bbcA"] * 3,
    1.0: ["AAAA"] * 4 + ["bb.!"] * 6,
}


def sweep(folder):
    """Three alphas with programs, a wrapped task, and one whose headline is no share."""
    for alpha, words in WORDS.items():
        tasks = {
            WRAPPED: answers(words, ks=(1, 2, 4)),
            OTHER: answers(words[::-1], ks=(1, 2), binary=False),
            CODE: code(["++"] * 5 + ["--"] * 5),
        }
        write_run(folder / f"alpha{alpha}", merge(alpha), tasks)
    return folder


def rows_of(folder):
    return make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows


def report(folder, output, **more) -> Report:
    """A report without figures, which take most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hm_metrics.report.pictures.draw", lambda *_: [])
        return build(ReportSettings([folder], output, embedder="none", quiet=True, **more))


def test_one_command_reports_wrapped_tasks_with_their_figures(tmp_path):
    out = tmp_path / "out"
    rule = f"{WRAPPED}:maj@4 subject to {OTHER}:avg@n>=0.3"
    done = hm_report(
        *(sweep(tmp_path / "runs"), "--output_path", out, "--embedder", "none", "--quiet"),
        *("--select", rule, "--export", "eee", "--export", "inspect", "--developer", "me"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    figures = {file.name for file in (out / "figures").iterdir()}
    assert {f"pass_at_k_{WRAPPED}_pass.png", f"pass_at_k_{WRAPPED}_maj.png"} <= figures
    assert f"pass_at_k_{CODE}_maj.png" not in figures
    table = (out / "leaderboard.md").read_text()
    assert "The best by estimate is alpha=0.7: maj@4 0.7" in table
    assert f"alpha=0.7 has the highest {OTHER}:avg@n of 3 rows" in table
    assert "headline exact_match, filter flexible-extract, equal answers text" in table


def test_a_forecast_says_what_counts_in_the_task_and_not_in_programs(tmp_path):
    rows = make_rows(join(find_runs([sweep(tmp_path)]).runs), quiet=True).rows
    assert what_counts(rows, WRAPPED) == f"exact_match of {WRAPPED}"
    (drawing,) = (one for one in forecast_pictures(forecasts(rows)) if WRAPPED in one[0])
    (axes, *_) = drawing[3]().axes
    said = " ".join(text.get_text() for text in drawing[3]().texts) + axes.get_title()
    assert "tests" not in said
    assert "exact_match" in said


def test_people_see_few_of_the_numbers_and_the_csv_has_all(tmp_path):
    write_run(tmp_path / "runs", merge(0.7), {WRAPPED: answers(["AAAb", "bbcA"], ks=(1, 2, 4))})
    report(tmp_path / "runs", tmp_path / "out")
    (row,) = csv.DictReader((tmp_path / "out" / "leaderboard.csv").open())
    assert float(row["pass@1"]) == 0.5
    assert float(row["pass@1_low"]) >= 0
    assert float(row["f1/best@n,strict-match"]) == 1.0
    assert float(row["distinct_answers,strict-match"]) == 1.0
    columns = columns_of(rows_of(tmp_path / "runs"))
    shown = [column.key for column in columns if column.shown]
    assert shown == [
        *("pass@1", "pass@4", "maj@4", "g_pass@4_1.0", "distinct_answers"),
        *("unread_answers", "unscored", "beyond_limits"),
    ]
    compared = [column.key for column in columns if column.compared]
    assert compared == ["pass@1", "pass@4", "maj@4", "g_pass@4_1.0"]


def test_a_headline_that_is_no_share_shows_its_mean_and_its_best(tmp_path):
    task = answers(["Aaab", "aabb"], binary=False)
    write_run(tmp_path, merge(0.7), {WRAPPED: task})
    (row,) = rows_of(tmp_path)
    columns = columns_of([row])
    assert [c.key for c in columns if c.shown][:3] == ["avg@n", "best@n", "distinct_answers"]
    assert row.values[WRAPPED]["avg@n"].value == pytest.approx(3 / 8)


def test_every_column_says_what_it_means_and_whose_it_is(tmp_path):
    write_run(tmp_path, merge(0.7), {WRAPPED: answers(["Ab"])})
    told = {column.key: column.help for column in columns_of(rows_of(tmp_path))}
    assert told["maj@2"].startswith("Chance that the answer which most of 2 samples give is right.")
    assert "at least the share 0.5 of 2 samples" in told["g_pass@2_0.5"]
    assert "By the wrapped task's f1, filter strict-match." in told["f1/avg@n,strict-match"]
    assert all(told.values())


def test_rows_are_compared_question_by_question_in_the_headlines_numbers(tmp_path):
    rows = rows_of(sweep(tmp_path))
    found = {
        (c.row.point.model.alpha, c.measure.key): c for c in to_instruct(rows, columns_of(rows))
    }
    merged = found["0.7", "maj@4"]
    # Nine questions of ten differ: 3 of 4 samples of seven are right, the instruct model solves four.
    assert merged.difference.estimate == pytest.approx(0.7 - 0.4)
    assert merged.difference.questions == 10
    assert found["0.7", f"{OTHER}:avg@n"].difference.estimate == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"inner": {"task": "gsm8k_cot", "version": 2.0}}, "wrapped task: gsm8k_cot, version 3.0"),
        (
            {"headline": {"filter": "strict-match", "metric": "exact_match"}},
            "headline: exact_match",
        ),
    ],
)
def test_another_wrapped_version_or_headline_is_no_pair(tmp_path, other, why):
    write_run(tmp_path / "a", merge(0.7), {WRAPPED: answers(["Ab", "bb", "AA"])})
    write_run(tmp_path / "b", merge(1.0), {WRAPPED: answers(["Ab", "bb", "AA"], **other)})
    rows = rows_of(tmp_path)
    found = {c.measure.metric: c for c in to_instruct(rows, columns_of(rows))}
    assert found["pass@1"].difference is None
    assert why in found["pass@1"].why_not


def test_votes_are_no_pair_where_other_answers_count_as_equal_and_pass_at_k_is(tmp_path):
    judge = {"by": "math", "version": "math-verify 0.9.0"}
    write_run(tmp_path / "a", merge(0.7), {WRAPPED: answers(["Ab", "bb", "AA"], equal=judge)})
    write_run(tmp_path / "b", merge(1.0), {WRAPPED: answers(["Ab", "bb", "bA"])})
    rows = rows_of(tmp_path)
    assert rows[0].facts[WRAPPED]["equal answers"] == "math, math-verify 0.9.0"
    found = {c.measure.metric: c for c in to_instruct(rows, columns_of(rows))}
    assert found["maj@2"].why_not == "other answers count as equal"
    assert found["pass@1"].difference is not None


def test_a_rule_takes_numbers_of_several_tasks_other_filters_and_other_metrics(tmp_path):
    sweep(tmp_path / "runs")
    rule = (
        f"{WRAPPED}:pass@4 subject to {OTHER}:avg@n>=0.3, "
        f"{WRAPPED}:f1/avg@n,strict-match>0.2 and {CODE}:pass@2<1"
    )
    (answer, *_) = report(tmp_path / "runs", tmp_path / "out", select=rule).summary
    assert "alpha=0.7: pass@4 1" in answer
    assert "f1/avg@n,strict-match 0.6" in answer


def test_a_name_that_only_one_task_has_may_have_its_task_in_front(tmp_path):
    write_run(tmp_path / "runs", merge(0.7), {WRAPPED: answers(["Ab", "bb"])})
    for rule in ("maj@2", f"{WRAPPED}:maj@2"):
        (answer, *_) = report(tmp_path / "runs", tmp_path / "out", select=rule).summary
        assert "alpha=0.7: maj@2 0.25" in answer


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("maj@5", "Did you mean maj@4"),
        (f"{WRAPPED}:pass@16", f"Did you mean {WRAPPED}:pass@1"),
        ("gsm8k_pask:maj@4", f"Did you mean {WRAPPED}:maj@4"),
        ("pass@1", f"a number of several tasks: {WRAPPED}:pass@1, {CODE}:pass@1"),
        ("maj@5", "of other metrics and filters"),
    ],
)
def test_a_wrong_name_is_told_the_nearest(tmp_path, rule, says):
    sweep(tmp_path / "runs")
    with pytest.raises(ChoiceError, match=says):
        report(tmp_path / "runs", tmp_path / "out", select=rule)
    assert not (tmp_path / "out").exists()


def test_samples_are_shown_with_their_answer_and_grade(tmp_path):
    write_run(tmp_path, merge(0.7), {WRAPPED: answers(["Ab.!?"])})
    (shown,) = questions(rows_of(tmp_path))
    assert shown.prompt == "Q: 0"
    (samples,) = shown.samples.values()
    assert [s.base for s in samples] == ["pass", "fail", "fail", "fail", "unscored"]
    right, wrong, unread, beyond, unscored = (s.reason for s in samples)
    assert right == (
        "flexible-extract: answer A; exact_match 1, f1 1 | strict-match: answer A; exact_match 1, f1 1"
    )
    assert "flexible-extract: answer b; exact_match 0" in wrong
    assert "strict-match: no answer; exact_match 0, f1 0; the filter found no answer" in wrong
    assert "no answer" in unread
    assert "it took over 5 s" in beyond
    assert "the grader ended" in unscored
    assert samples[0].text == samples[0].program == "Let me think about 0. It is A."


def test_too_many_samples_without_a_grade_leave_the_numbers_without_a_value(tmp_path):
    write_run(tmp_path, merge(0.7), {WRAPPED: answers(["AA", "A?"])})
    (row,) = rows_of(tmp_path)
    for name in ("pass@1", "maj@2", "avg@n", "f1/best@n", "pass@1,strict-match"):
        assert row.values[WRAPPED][name].value != row.values[WRAPPED][name].value
    assert row.values[WRAPPED]["distinct_answers"].value == 1
    assert any("too few samples have a verdict (unscored: 1 of 4)" in w for w in row.warnings)


def test_results_that_their_grades_contradict_are_a_warning(tmp_path):
    task = answers(["Ab", "bb"])
    task["results"]["maj@2,flexible-extract"] = 0.9
    write_run(tmp_path, merge(0.7), {WRAPPED: task})
    (row,) = rows_of(tmp_path)
    assert row.values[WRAPPED]["maj@2"].value == pytest.approx(0.25)
    assert row.warnings == [
        f"{WRAPPED}: its samples give another maj@2 than its results; the samples count."
    ]


def test_results_without_samples_keep_their_numbers_by_the_same_names(tmp_path):
    write_run(tmp_path, merge(0.7), {WRAPPED: answers(["Ab", "bb"], lines=False)})
    (row,) = rows_of(tmp_path)
    assert row.values[WRAPPED]["pass@2"].value == pytest.approx(0.5)
    assert row.values[WRAPPED]["pass@2,strict-match"].value == pytest.approx(0.5)
    assert "maj@2" in [column.key for column in columns_of([row]) if column.shown]


def test_an_answer_of_a_hostile_log_is_text(tmp_path):
    task = answers(["Ab"])
    grade = json.loads(task["lines"][0]["filtered_resps"][0][0])
    evil = "</script><img src=x onerror=alert(1)>\u202e" + "9" * 1000
    task["lines"][0]["filtered_resps"][0][0] = json.dumps(grade | {"answer": evil})
    write_run(tmp_path / "runs", merge(0.7), {WRAPPED: task})
    report(tmp_path / "runs", tmp_path / "out")
    assert "onerror" not in (tmp_path / "out" / "report.html").read_text()
    (shown,) = questions(rows_of(tmp_path / "runs"))
    reason = next(iter(shown.samples.values()))[0].reason
    assert "\u202e" not in reason
    assert len(reason) < 500


def test_an_exported_sample_has_its_answer_and_each_metrics_score(tmp_path):
    write_run(tmp_path / "runs", merge(0.7), {WRAPPED: answers(["Aa?"])})
    report(tmp_path / "runs", tmp_path / "out", exports=("inspect", "eee"), developer="me")
    (log,) = (tmp_path / "out" / "inspect").iterdir()
    first, second, unscored = json.loads(log.read_text())["samples"]
    assert first["scores"]["exact_match"] == {"value": 1.0, "answer": "A", "explanation": ""}
    assert second["scores"]["f1"]["value"] == 0.5
    assert unscored["scores"] == {}
    assert unscored["metadata"] == {"status": "unscored", "unscored": "the grader ended"}


def test_a_record_of_an_export_says_k_and_threshold(tmp_path):
    write_run(tmp_path / "runs", merge(0.7), {WRAPPED: answers(["Ab", "AA"])})
    report(tmp_path / "runs", tmp_path / "out", exports=("eee",), developer="me")
    (file,) = (tmp_path / "out" / "eee").rglob("*.json")
    found = {
        result["evaluation_result_id"]: result["metric_config"]
        for result in json.loads(file.read_text())["evaluation_results"]
    }
    voted = found[f"{WRAPPED}:maj@2"]
    assert voted["metric_parameters"] == {"k": 2}
    assert voted["max_score"] == 1.0
    stable = found[f"{WRAPPED}:g_pass@2_0.5"]
    assert stable["metric_parameters"] == {"k": 2, "threshold": 0.5}
    assert "max_score" not in found[f"{WRAPPED}:f1/avg@n"]
