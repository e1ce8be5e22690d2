"""The leaderboard has every number under a name of its own, in a CSV that reads back."""

import csv

import pytest

from hm_metrics.report.build import ReportSettings, build
from hm_metrics.report.leaderboard import write_csv, write_markdown
from hm_metrics.report.runs import load_runs
from tests.metrics.report.made_runs import CODE, REFUSALS, code, foreign, merge, refusals, write_run
from tests.metrics.report_page.test_file import content


def board(folder):
    runs = load_runs(folder, embedder="none")
    return runs.rows, runs.columns, *runs.protocols


def test_the_csv_has_every_number_with_its_interval_and_reads_back(tmp_path):
    write_run(tmp_path / "a", merge(0.7), {CODE: code(["+-", "--"]), REFUSALS: refusals([1, None])})
    write_run(tmp_path / "b", merge(1.0), {CODE: code(["+-"])})
    rows, columns, _, marks = board(tmp_path)
    write_csv(rows, columns, marks, tmp_path / "l.csv")
    with (tmp_path / "l.csv").open(newline="") as file:
        merged, instruct = csv.DictReader(file)
    assert merged["alpha"] == "0.7"
    assert float(merged["pass@1"]) == 0.25
    assert float(merged["pass@1_low"]) < 0.25 < float(merged["pass@1_high"])
    assert merged["pass@1_questions"] == "2"
    assert merged[f"{CODE} protocol"] != instruct[f"{CODE} protocol"]
    assert instruct["fulfillment_rate"] == ""


def test_a_metric_of_two_tasks_is_named_with_its_task(tmp_path):
    tasks = {CODE: code(["+-"]), "humanevalplus_passk": code(["--"], ks=(1,))}
    write_run(tmp_path, merge(0.7), tasks)
    _, columns, _, _ = board(tmp_path)
    keys = [column.key for column in columns]
    assert len(set(keys)) == len(keys)
    assert {f"{CODE}:pass@1", "humanevalplus_passk:pass@1", "pass@2"} <= set(keys)


def test_the_page_knows_whose_metric_each_column_is(tmp_path):
    tasks = {CODE: code(["+-"]), REFUSALS: refusals([1])}
    write_run(tmp_path / "runs", merge(0.7), tasks)
    build(ReportSettings([tmp_path / "runs"], tmp_path / "out", embedder="none", quiet=True))
    columns = content(tmp_path / "out" / "report.html")["columns"]
    of = {column["key"]: column["task"] for column in columns}
    assert (of["pass@1"], of["fulfillment_rate"]) == (CODE, REFUSALS)


def test_filters_of_a_foreign_task_are_two_columns(tmp_path):
    write_run(tmp_path, {"model": "hf"}, {"gsm8k": foreign([1, 0])})
    rows, columns, _, _ = board(tmp_path)
    values = {column.key: column.of(rows[0]).value for column in columns}
    assert values == {"exact_match,strict": 0.5, "exact_match,flexible": 1.0}


def test_the_table_for_people_says_marks_and_what_they_stand_for(tmp_path):
    write_run(tmp_path / "a", merge(0.7, "a|b", "<b>it"), {CODE: code(["+-"])})
    write_run(tmp_path / "b", merge(1.0, "a|b", "<b>it"), {CODE: code(["+-"], temperature=0.2)})
    write_markdown(*_markdown_arguments(tmp_path), tmp_path / "l.md")
    text = (tmp_path / "l.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    # As many cells in every line: no name breaks the table.
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "<b>" not in text
    assert "**temperature 0.2**" in text


def _markdown_arguments(folder):
    rows, columns, notes, marks = board(folder)
    return rows, columns, notes, marks, ["A word."]


def test_samples_that_contradict_their_results_are_a_warning(tmp_path):
    task = code(["+-", "--"])
    task["results"]["pass@1,scored"] = 0.9
    write_run(tmp_path, merge(0.7), {CODE: task})
    (row,), *_ = board(tmp_path)
    assert row.values[CODE]["pass@1"].value == 0.25
    assert any("pass@1" in warning for warning in row.warnings)


@pytest.mark.parametrize("highest", [1.0000001, 3.0])
def test_a_similarity_that_rounding_put_above_1_is_no_error(tmp_path, highest):
    task = code(["+-", "--"])
    for line, value in zip(task["lines"], (highest, 0.5), strict=True):
        line |= {"local_similarity": value, "metrics": ["local_similarity"]}
    task["results"] |= {"local_similarity,scored": (highest + 0.5) / 2}
    write_run(tmp_path, merge(0.7), {CODE: task})
    (row,), *_ = board(tmp_path)
    found = row.values[CODE]["local_similarity"]
    assert found.value == pytest.approx((highest + 0.5) / 2)
    assert found.low < found.value
    assert found.high <= 1 or highest > 2


@pytest.mark.parametrize(("scores", "value"), [([1, 0, None], 0.5), ([None], None)])
def test_answers_without_a_score_open_the_bounds_and_are_no_refusals(tmp_path, scores, value):
    write_run(tmp_path, merge(0.7), {REFUSALS: refusals(scores)})
    (row,), *_ = board(tmp_path)
    found = row.values[REFUSALS]
    if value is None:
        assert found["fulfillment_rate"].value != found["fulfillment_rate"].value
    else:
        assert found["fulfillment_rate"].value == value
    assert found["fulfillment_rate_low"].value == scores.count(1) / len(scores)
    unscored = scores.count(None)
    assert found["fulfillment_rate_high"].value == (scores.count(1) + unscored) / len(scores)
