"""Answers to a wrapped task's questions become training data; its own scoring says which are right."""

import json
import shutil
from collections import Counter

import pytest

from hm_metrics.logs.results_file import results_beside
from hm_models.endpoints.client import Endpoint as Client
from hm_models.errors import UsageError
from hm_models.plugin.task_manager import LOADING
from hm_tasks.any_passk.settings import DEFAULTS
from hm_tasks.curation.candidate import read_records
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.pipeline import Curation
from hm_tasks.curation.rewriting_settings import RewriteSettings
from hm_tasks.curation.settings import CurationSettings
from hm_tasks.curation.sources import NO_PROBLEMS, NO_SUCH_PROBLEM
from hm_tasks.curation.steps import OUTPUTS
from hm_tasks.sandbox.executors import choose_place
from tests.models.endpoints.endpoint import Endpoint
from tests.tasks.any_passk.sums import manager, write
from tests.tasks.curation.made_answers import OWN, changed, run, write_scored
from tests.tasks.curation.made_samples import run_folder


@pytest.fixture(scope="module")
def server():
    with Endpoint() as server:
        yield server


@pytest.fixture
def curate(tmp_path, monkeypatch, server):
    """A function that curates runs, where the harness knows the tasks of a folder."""
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    place = choose_place("local", "auto")

    def do(tasks, *samples, out=tmp_path / "out", only=None, **changes):
        settings = {"embedder": "openai:m@8", "embedder_base_url": server.url, "near": 1.0}
        settings |= {"samples": samples, "decontaminate": ("none",)} | changes
        token = LOADING.set(manager(tasks))
        try:
            return Curation(CurationSettings(**settings), place, quiet=True).run(out, only)
        finally:
            LOADING.reset(token)

    return do


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def kept_run(tasks, tmp_path_factory):
    return run(tasks, tmp_path_factory.mktemp("run"))


@pytest.fixture
def log(kept_run, tmp_path):
    """A log of a run of the sums, to be changed at will, with its results beside it."""
    shutil.copytree(kept_run.parent, tmp_path / "run")
    return tmp_path / "run" / kept_run.name


def records(folder, step):
    return list(read_records(folder / OUTPUTS[step]))


def metadata_of(results):
    return results["configs"]["sums_passk"]["metadata"]


def rows(folder):
    lines = (folder / "export/openai/train.jsonl").read_text().splitlines()
    return [tuple(message["content"] for message in json.loads(line)["messages"]) for line in lines]


# --- from a run to a set ------------------------------------------------------------------------


def test_correct_answers_become_conversations_as_they_were_asked_and_said(
    tmp_path, tasks, log, curate, caplog
):
    steps = curate(tasks, log)["steps"]
    assert "was asked with another" not in caplog.text
    assert steps["read"]["left_out"] == {"answer without a word": 1}
    assert steps["verify"]["statuses"] == {"correct": 7, "wrong": 8}
    assert steps["deduplicate"]["left_out"] == {
        "normalised": 1,
        "exact": 1,
        "not correct: wrong": 8,
    }
    assert rows(tmp_path / "out") == [
        ("Q: What is 1 + 1?\nA:", "I add one to one.\nThe answer is 2."),
        ("Q: What is 1 + 1?\nA:", "The answer is 2."),
        ("Q: What is 2 + 3?\nA:", "The answer is 5."),
        ("Q: What is 4 + 8?\nA:", "The answer is 12."),
        ("Q: What is 1 / 2?\nA:", "The answer is 0.5."),
    ]


def test_each_answer_is_graded_as_the_run_graded_it(tmp_path, tasks, log, curate):
    curate(tasks, log)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    by_run = {
        (line["doc_id"], index): json.loads(grade)["scores"]["exact_match"]
        for line in lines
        if line["filter"] == "strict"
        for index, grade in enumerate(line["filtered_resps"][0])
    }
    here = records(tmp_path / "out", "verify")
    assert len(here) == len(by_run) - 1
    for record in here:
        place = record.provenance["question"], record.provenance["index"]
        assert (record.status == "correct") is (by_run[place] == 1.0)
    reasons = {record.text: record.reason for record in here if record.status == "wrong"}
    assert reasons["The answer is 3."] == "exact_match is 0"
    assert reasons["I do not know"] == "the filter finds no answer"


def test_a_record_says_who_graded_it_and_where_it_is_from(tmp_path, tasks, log, curate):
    curate(tasks, log)
    record = records(tmp_path / "out", "select")[2]
    told = record.provenance
    assert record.program == record.entry_point == record.behaviour == ""
    assert record.statement == "Q: What is 2 + 3?\nA:"
    assert record.problem == f"sums/1@{told['dataset'][:8]}"
    assert (told["task"], told["problems"], told["question"]) == ("sums_passk", "sums", 1)
    assert told["inner"] == {
        "task": "sums",
        "filter": "strict",
        "metric": "exact_match",
        "seconds": DEFAULTS["seconds"],
        "memory_mib": DEFAULTS["memory_mib"],
    }
    config = json.loads(results_beside(log).read_text())["configs"]["sums_passk"]
    assert told["dataset"] == config["metadata"]["dataset_sha256"]


def test_the_headline_of_the_run_decides(tmp_path, tasks, curate):
    log = run(tasks, tmp_path / "run", filters=["last"])
    assert curate(tasks, log)["steps"]["verify"]["statuses"] == {"correct": 8, "wrong": 7}
    right = {r.text for r in records(tmp_path / "out", "verify") if r.status == "correct"}
    assert "It is 2" in right, "strict does not read it"
    assert "12 or 13" not in right


def test_the_card_says_who_graded_and_that_its_benchmark_is_spent(tmp_path, tasks, log, curate):
    curate(tasks, log)
    card = (tmp_path / "out/export/hf/README.md").read_text()
    assert "`sums`, version 3.0: a correct answer has `exact_match` of at least 1" in card
    assert "filter `strict`" in card
    assert "Do not measure on them what was trained on it" in card
    assert "conversations about questions of the harness's tasks" in card
    assert "programming" not in card
    assert "- code\n" not in card
    steps = json.loads((tmp_path / "out/summary.json").read_text())["steps"]
    assert steps["deduplicate"]["not_checked_against"]["sums"] == "the samples answer it"
    (grader,) = steps["verify"]["settings"]["answers"]
    assert (grader["task"], grader["version"], grader["least_score"]) == ("sums", 3.0, 1.0)


def test_programs_and_answers_are_curated_together_and_what_is_unknown_costs_itself_alone(
    tmp_path, tasks, log, curate
):
    run_folder(tmp_path / "code", count=1)
    gone = shutil.copytree(log.parent, tmp_path / "gone") / log.name
    changed(gone, lambda line: line.update(doc_hash="another file"))
    changed(results_beside(gone), lambda data: metadata_of(data).update(passk_of="gone"))
    samples = log, tmp_path / "code", gone
    steps = curate(tasks, *samples, most=4, way="diverse")["steps"]
    assert steps["read"]["left_out"] == {
        "answer without a word": 1,
        f"{NO_PROBLEMS} sums_passk": 16,
    }
    assert steps["verify"]["statuses"] == {"correct": 7 + 3, "wrong": 8 + 2}
    problems = Counter(record.problem for record in records(tmp_path / "out", "select"))
    assert len(problems) == 4, "balanced over questions and problems alike"
    curate(tasks, *samples)
    turns = rows(tmp_path / "out")
    assert sum(answer.startswith("```python") for _, answer in turns) == 3
    assert len(turns) == 8
    alpaca = (tmp_path / "out/export/llamafactory/alpaca.jsonl").read_text().splitlines()
    joined = []
    for row in map(json.loads, alpaca):
        parts = [row["instruction"], row["input"]] if row["input"] else [row["instruction"]]
        joined.append(("\n".join(parts), row["output"]))
    assert joined == turns
    card = (tmp_path / "out/export/hf/README.md").read_text()
    assert "programming problems" in card
    assert "questions of the harness's tasks" in card


def test_texts_nearly_alike_are_one(tmp_path, tasks, curate):
    steps = [f"First add {n} to the sum and carry on." for n in range(30)]
    long = " ".join([*steps, "The answer is 2."])
    said = {
        "1 + 1": [long, long.replace("carry on", "carry  on"), long.replace("First", "Then", 1)]
    }
    said |= {question: ["", "", ""] for question in ("2 + 3", "4 + 8", "1 / 2")}
    log = run(tasks, tmp_path / "run", said)
    left_out = curate(tasks, log, near=0.85)["steps"]["deduplicate"]["left_out"]
    assert left_out == {"normalised": 1, "near": 1}


# --- nothing in a log is believed ---------------------------------------------------------------


def test_grades_in_a_log_are_not_believed(tmp_path, tasks, log, curate):
    curate(tasks, log)
    before = [record.status for record in records(tmp_path / "out", "verify")]

    def all_right(line):
        grade = {"answer": "x", "scores": {"exact_match": 1.0}, "same_as": 0, "status": "graded"}
        line["filtered_resps"] = [[json.dumps(grade | {"reason": ""})] * 4]

    changed(log, all_right)
    curate(tasks, log, out=tmp_path / "other")
    assert [record.status for record in records(tmp_path / "other", "verify")] == before


def test_a_question_that_a_log_has_changed_is_none_of_the_task(tmp_path, tasks, log, curate):
    changed(log, lambda line: line["doc"].update(answer="3") if line["doc_id"] == 0 else None)
    steps = curate(tasks, log)["steps"]
    assert steps["read"]["left_out"][NO_SUCH_PROBLEM] == 4
    assert {r.provenance["question"] for r in records(tmp_path / "out", "read")} == {1, 2, 3}


def test_no_limit_of_a_log_is_endless(tmp_path, tasks, log, curate):
    def endless(results):
        metadata_of(results).update(seconds=1e99, memory_mib="all")

    changed(results_beside(log), endless)
    curate(tasks, log, only="read")
    (told,) = {json.dumps(r.provenance["inner"]) for r in records(tmp_path / "out", "read")}
    assert json.loads(told)["seconds"] == 60
    assert json.loads(told)["memory_mib"] == 8192


# --- answers that are no 0 or 1, hang, or break down ----------------------------------------------


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    return write_scored(tmp_path_factory.mktemp("scored"))


@pytest.fixture(scope="module")
def scored_run(scored, tmp_path_factory):
    said = {
        "1 + 1": ["This is 1.0", "This is 0.7"],
        "2 + 3": ["This is 0.8", "hang 1.0"],
        "4 + 8": ["This is 0.1", "broken 1.0"],
        "1 / 2": ["This is 0.9", "This is 0.2"],
    }
    out = tmp_path_factory.mktemp("run")
    return run(scored, out, said, passk_of="scored", seconds=0.3, max_unscored=1.0)


@pytest.mark.parametrize(("least", "correct"), [(1.0, 1), (0.75, 3)])
def test_a_threshold_says_what_is_correct_where_a_metric_is_not_0_or_1(
    tmp_path, scored, scored_run, curate, caplog, least, correct
):
    steps = curate(scored, scored_run, least_score=least)["steps"]
    statuses = {"correct": correct, "wrong": 6 - correct, "timeout": 1, "unscored": 1}
    assert steps["verify"]["statuses"] == statuses
    assert "was asked with another" not in caplog.text
    by_text = {record.text: record for record in records(tmp_path / "out", "verify")}
    assert by_text["hang 1.0"].status == "timeout"
    assert "too much time" in by_text["hang 1.0"].reason
    assert by_text["broken 1.0"].status == "unscored"
    assert "a broken answer" in by_text["broken 1.0"].reason
    assert len(rows(tmp_path / "out")) == correct


# --- what cannot be is a sentence -----------------------------------------------------------------


def test_rewriting_is_refused_for_answers(tmp_path, tasks, log, curate, server):
    rewriter = RewriteSettings("m", endpoint=Client(server.url))
    with pytest.raises(CurationError, match="rewriting is for programs, and the answers to sums"):
        curate(tasks, log, rewrite=rewriter)
    assert not (tmp_path / "out" / OUTPUTS["rewrite"]).exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"passk_of": "gone"}, "the harness knows no task of this name"),
        ({"headline": {"filter": "none", "metric": "exact_match"}}, "has no filter 'none'"),
        ({"headline": {"filter": "last", "metric": "acc"}}, "has no metric 'acc'"),
    ],
)
def test_a_task_that_is_not_to_be_had_is_named(tasks, log, curate, caplog, change, sentence):
    changed(results_beside(log), lambda data: metadata_of(data).update(change))
    with pytest.raises(CurationError, match=f"No sample can be read .{NO_PROBLEMS} sums_passk: 16"):
        curate(tasks, log)
    assert sentence in caplog.text


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"metric_list": [OWN[0] | {"higher_is_better": False}]}, "less is better of quality"),
        ({"unsafe_code": True}, "it runs what models write"),
    ],
)
def test_a_task_that_cannot_say_what_is_right_is_named(
    tmp_path, scored, scored_run, curate, caplog, more, sentence
):
    other = write_scored(tmp_path / "tasks", **more)
    with pytest.raises(CurationError, match=f"No sample can be read .*{NO_PROBLEMS} scored_passk"):
        curate(other, scored_run)
    assert sentence in caplog.text


def test_a_task_that_is_another_one_now_is_named(tmp_path, log, curate, caplog):
    (tmp_path / "tasks").mkdir()
    other = write(tmp_path / "tasks", doc_to_text="{{question}} Say it.")
    curate(other, log)
    assert "sums was asked with another doc_to_text than it has here" in caplog.text
    assert rows(tmp_path / "out")[0][0] == "What is 1 + 1? Say it."


# --- steps ----------------------------------------------------------------------------------------


def stamps(folder):
    return {
        step: (folder / file).stat().st_mtime_ns
        for step, file in OUTPUTS.items()
        if (folder / file).exists()
    }


def test_the_same_command_does_nothing_again_and_another_task_does_all(
    tmp_path, tasks, log, curate
):
    curate(tasks, log)
    before = stamps(tmp_path / "out")
    curate(tasks, log)
    assert stamps(tmp_path / "out") == before
    (tmp_path / "tasks").mkdir()
    curate(write(tmp_path / "tasks", doc_to_text="{{question}}"), log)
    assert all(stamp != before[step] for step, stamp in stamps(tmp_path / "out").items())


def test_another_threshold_grades_again_and_reads_nothing_again(
    tmp_path, scored, scored_run, curate
):
    curate(scored, scored_run)
    before = stamps(tmp_path / "out")
    curate(scored, scored_run, least_score=0.75)
    after = stamps(tmp_path / "out")
    assert after["read"] == before["read"]
    assert after["verify"] != before["verify"]


def test_grading_by_another_task_than_was_read_is_refused(tmp_path, tasks, log, curate):
    curate(tasks, log, only="read")
    (tmp_path / "tasks").mkdir()
    other = write(tmp_path / "tasks")
    data = other / "sums.jsonl"
    data.write_text(data.read_text().replace('"2"', '"3"'))
    with pytest.raises(UsageError, match="have another"):
        curate(other, log, only="verify")
