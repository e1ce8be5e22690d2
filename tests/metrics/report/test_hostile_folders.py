"""A folder of somebody else's costs a report what is wrong in it, and obeys it in nothing."""

import csv
import json
import os
from pathlib import Path

import pytest

from hm_metrics.report.build import Report, ReportSettings, build
from hm_metrics.report.runs import NothingToReport
from tests.metrics.report.made_runs import CODE, STAMP, code, merge, write_run
from tests.models.endpoints.endpoint import Endpoint

STEM = f"samples_{CODE}_{STAMP}.jsonl"


@pytest.fixture
def no_figures(monkeypatch):
    """Draw none, which takes most of a report's time, where no name or number of them is odd."""
    monkeypatch.setattr("hm_metrics.report.pictures.draw", lambda *_: [])


def report(folder: Path, output: Path, **more) -> Report:
    return build(ReportSettings([folder], output, **{"embedder": "none", "quiet": True} | more))


def changed(file: Path, *path: str, value) -> None:
    """Set one entry of a file of JSON."""
    content = json.loads(file.read_text())
    record = content
    for key in path[:-1]:
        record = record[key]
    record[path[-1]] = value
    file.write_text(json.dumps(content))


def in_text(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


DEEP = "[" * 100_000 + "]" * 100_000
RESULTS = {
    "deep": lambda f: in_text(f, '"date":', f'"deep": {DEEP}, "date":'),
    "digits": lambda f: in_text(f, '"date":', f'"n": {"9" * 5000}, "date":'),
    "half a pair": lambda f: in_text(f, "some/model", "\\ud800"),
    "no UTF-8": lambda f: f.write_bytes(b"\xff" + f.read_bytes()),
    "byte-order mark": lambda f: f.write_bytes(b"\xef\xbb\xbf" + f.read_bytes()),
    "cut off": lambda f: f.write_bytes(f.read_bytes()[:-20]),
    "config": lambda f: changed(f, "config", value=[1]),
    "results": lambda f: changed(f, "results", value=[CODE]),
    "merge": lambda f: changed(f, "config", "merge", value="x"),
    "base": lambda f: changed(f, "config", "merge", "base", value={"a": 1}),
    "alpha": lambda f: changed(f, "config", "merge", "alpha", value=10**400),
    "nan": lambda f: changed(f, "config", "merge", "alpha", value=float("nan")),
    "merge_params": lambda f: changed(f, "config", "merge", "merge_params", value=[1]),
    "model_args": lambda f: changed(f, "config", "model_args", value=[1]),
    "metadata": lambda f: changed(f, "configs", CODE, "metadata", value="x"),
    "generation": lambda f: changed(f, "configs", CODE, "generation_kwargs", value=[1]),
    "temperature": lambda f: changed(
        f, "configs", CODE, "generation_kwargs", "temperature", value=float("inf")
    ),
    "better": lambda f: changed(f, "higher_is_better", CODE, "pass@1", value="yes"),
    "questions": lambda f: changed(f, "n-samples", CODE, "effective", value="many"),
    "date": lambda f: changed(f, "date", value="today"),
}


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("kind", RESULTS)
def test_a_results_file_that_cannot_be_used_is_named_and_the_others_are_reported(tmp_path, kind):
    write_run(tmp_path / "runs" / "good", merge(1.0), {CODE: code(["+-"])})
    bad = write_run(tmp_path / "runs" / "bad", merge(0.7), {CODE: code(["+-"])})
    RESULTS[kind](bad)
    found = report(tmp_path / "runs", tmp_path / "out")
    assert [sentence for sentence in found.problems if str(bad) in sentence]
    assert "1 row of B → I" in found.summary[0]
    with pytest.raises(NothingToReport, match=r"results_2026"):
        report(tmp_path / "runs" / "bad", tmp_path / "none")


def test_a_number_that_no_float_holds_costs_itself_alone(tmp_path):
    file = write_run(tmp_path / "runs", merge(0.7), {CODE: code(["+-"])})
    changed(file, "results", CODE, "odd,scored", value=10**400)
    changed(file, "results", CODE, "odder,scored", value=float("-inf"))
    changed(file, "results", CODE, "pass@²,scored", value=0.5)
    changed(file, "results", CODE, f"pass@{10**30},scored", value=0.5)
    found = report(tmp_path / "runs", tmp_path / "out")
    assert len(found.problems) == 2
    assert "has no usable odd,scored" in found.problems[0]
    assert "pass@1" in (tmp_path / "out" / "leaderboard.md").read_text()


LOGS = {
    "deep": DEEP,
    "digits": "9" * 5000,
    "half a pair": '{"resps": "\\ud800"}',
    "list": "[1]",
    "nothing": "null",
    "metrics": '{"metrics": 5}',
}


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("kind", LOGS)
def test_a_log_that_cannot_be_read_leaves_the_numbers_of_its_results(tmp_path, kind):
    write_run(tmp_path / "runs", merge(0.7), {CODE: code(["+-", "--"])})
    log = tmp_path / "runs" / STEM
    log.write_text(log.read_text() + LOGS[kind] + "\n")
    found = report(tmp_path / "runs", tmp_path / "out")
    assert any(f"{log}, line 3" in sentence for sentence in found.problems)
    assert "0.2500" in (tmp_path / "out" / "leaderboard.md").read_text().replace("0.25 ", "0.2500 ")


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda line: line | {"doc_id": 1, "doc": None}, ""),
        (lambda line: line, "is there twice"),
        (
            lambda line: line | {"doc_id": 7, "doc": {}, "filtered_resps": [["x", "y"]]},
            "no verdicts",
        ),
        (lambda line: line | {"doc_id": 7, "doc": {}, "metrics": ["o"], "o": 10**400}, "Overflow"),
    ],
)
def test_lines_that_do_not_go_together_are_no_log(tmp_path, change, sentence):
    write_run(tmp_path / "runs", merge(0.7), {CODE: code(["+-"])})
    log = tmp_path / "runs" / STEM
    log.write_text(log.read_text() + json.dumps(change(json.loads(log.read_text()))) + "\n")
    found = report(tmp_path / "runs", tmp_path / "out")
    assert sentence in "".join(found.problems)
    assert bool(found.problems) == bool(sentence)


NAMES = {
    "mathtext": r"$\frac{1$ $a_b^$",
    "underscore": "_hidden_",
    "markup": "a|b <script>alert(1)</script> [a](http://evil) `c` **d**",
    "lines": "evil\n---\nlicense: mit\n\r\x1b[2J\u202e",
    "long": "x" * 300_000,
    "formula": '=HYPERLINK("http://evil")',
    "script": "模型🤖",
}


@pytest.mark.parametrize("kind", NAMES)
def test_any_name_is_shown_as_text(tmp_path, kind):
    name = NAMES[kind]
    for alpha in (0.5, 1.0):
        pair = merge(alpha, name, name, merge_method=name)
        write_run(tmp_path / "runs" / f"{alpha}", pair, {CODE: code(["+-", "--"])})
    found = report(tmp_path / "runs", tmp_path / "out")
    assert not found.problems
    assert [file for file in found.files if file.suffix == ".png"]
    table = (tmp_path / "out" / "leaderboard.md").read_text()
    for markup in ("<script>", "](http", "`c`", "**d**", "http://evil", "\n---\n", "\x1b"):
        assert markup not in table
    with (tmp_path / "out" / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 3
    assert not [cell for row in rows for cell in row if cell.startswith("=")]


@pytest.mark.usefixtures("no_figures")
def test_no_link_out_of_the_folder_and_no_pipe_is_read(tmp_path):
    secret = write_run(tmp_path / "secret", merge(0.9), {CODE: code(["++"])})
    runs = tmp_path / "runs"
    good = write_run(runs / "good", merge(0.7), {CODE: code(["+-"])})
    (runs / "results_1.json").symlink_to(secret)
    (runs / "results_2.json").symlink_to("/dev/zero")
    os.mkfifo(runs / "results_3.json")
    (runs / "loop").symlink_to(runs)
    log = good.with_name(STEM)
    log.unlink()
    log.symlink_to(secret.with_name(STEM))
    found = report(runs, tmp_path / "out")
    assert "1 row of B → I" in found.summary[0]
    assert sum("is no plain file of" in sentence for sentence in found.problems) == 3
    assert any("there is no samples_" in sentence for sentence in found.problems)


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("task", ["../../evil", "a/b", "x" * 300, "a\nb"])
def test_a_task_that_names_a_path_is_left_out(tmp_path, task):
    file = write_run(tmp_path / "runs", merge(0.7), {CODE: code(["+-"])})
    content = json.loads(file.read_text())
    for part in ("results", "configs"):
        content[part][task] = content[part][CODE]
    file.write_text(json.dumps(content))
    found = report(tmp_path / "runs", tmp_path / "out")
    assert "no name of a task" in found.problems[0]
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "out"}


@pytest.mark.usefixtures("no_figures")
def test_a_report_asks_no_endpoint_that_a_folder_names(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-SECRET")
    with Endpoint() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        record = {"embedder": "openai:m@8", "embedder_base_url": server.url}
        record["judging"] = {"judge": "j", "endpoint": server.url, "warning": "w"}
        task = code(["+-", "--"], **record)
        task["results"] |= {"local_similarity,scored": 0.25, "global_similarity,scored": 0.125}
        write_run(tmp_path / "runs", merge(0.7), {CODE: task})
        found = report(tmp_path / "runs", tmp_path / "out", embedder=None)
        assert not server.requests
        table = (tmp_path / "out" / "leaderboard.md").read_text()
        assert "0.25" in table
        assert "openai:m@8 of each program, as the results say" in table
        assert "name an embedder that you trust: --embedder openai:m@8" in " ".join(found.notes)
        asked = {"embedder": "openai:m@8", "embedder_base_url": server.url}
        report(tmp_path / "runs", tmp_path / "again", **asked)
        assert server.requests
