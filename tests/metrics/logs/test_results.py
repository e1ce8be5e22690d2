"""Results are found wherever they are; what is old or broken is named, and costs nothing else."""

import pytest

from hm_metrics.logs.results import find_runs
from tests.metrics.report.made_runs import CODE, REFUSALS, code, foreign, merge, refusals, write_run


def test_the_latest_run_of_a_task_in_a_folder_wins_and_the_other_is_named(tmp_path):
    old = write_run(tmp_path / "a", merge(0.7), {CODE: code(["+-"])}, 1.0, "2026-01-01T00")
    new = write_run(tmp_path / "a", merge(0.7), {CODE: code(["++"])}, 2.0, "2026-01-02T00")
    found = find_runs([tmp_path])
    assert [run.file for run in found.runs] == [new]
    (sentence,) = found.passed_over
    assert str(old) in sentence
    assert new.name in sentence
    assert not found.problems


def test_an_older_file_keeps_those_of_its_tasks_that_the_later_one_lacks(tmp_path):
    both = {CODE: code(["+-"]), REFUSALS: refusals([1, 0])}
    write_run(tmp_path, merge(0.7), both, 1.0, "2026-01-01T00")
    write_run(tmp_path, merge(0.7), {CODE: code(["++"])}, 2.0, "2026-01-02T00")
    found = find_runs([tmp_path])
    assert {(run.task, run.date) for run in found.runs} == {(CODE, 2.0), (REFUSALS, 1.0)}


def test_other_temperatures_and_alphas_in_one_folder_are_no_repeats(tmp_path):
    for number, (alpha, temperature) in enumerate(((0.7, 0.7), (0.7, 1.0), (0.9, 0.7))):
        task = {CODE: code(["+-"], temperature)}
        write_run(tmp_path, merge(alpha), task, number, f"2026-01-0{number + 1}T00")
    found = find_runs([tmp_path])
    assert len(found.runs) == 3
    assert not found.passed_over


def test_a_folder_named_twice_counts_once(tmp_path):
    file = write_run(tmp_path / "a", merge(0.7), {CODE: code(["+-"])})
    assert len(find_runs([tmp_path, tmp_path / "a", file]).runs) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"results": {}, "configs": 3}', "null"])
def test_a_broken_file_gets_a_sentence_and_the_rest_stays(tmp_path, content):
    write_run(tmp_path / "good", merge(0.7), {CODE: code(["+-"])})
    broken = tmp_path / "bad" / "results_x.json"
    broken.parent.mkdir()
    broken.write_text(content)
    found = find_runs([tmp_path / "bad", tmp_path / "good"])
    assert len(found.runs) == 1
    (sentence,) = found.problems
    assert str(broken) in sentence


@pytest.mark.parametrize("name", ["empty", "missing", "notes.txt"])
def test_a_path_without_results_gets_a_sentence(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    (sentence,) = find_runs([tmp_path / name]).problems
    assert name in sentence


def test_results_without_samples_count_and_are_said(tmp_path):
    task = code(["+-"]) | {"lines": []}
    file = write_run(tmp_path, merge(0.7), {CODE: task})
    found = find_runs([tmp_path])
    assert found.runs[0].values["pass@1,scored"] == (0.5, 0.1)
    (sentence,) = found.problems
    assert str(file) in sentence
    assert "--log_samples" in sentence


def test_results_of_the_plain_harness_are_read(tmp_path):
    write_run(tmp_path, {"model": "hf"}, {"gsm8k": foreign([1, 0])})
    (run,) = find_runs([tmp_path]).runs
    assert run.model.family == "some/model"
    assert run.model.alpha == ""
    assert run.temperature == 0.0  # nothing asks for sampling
    assert run.values["exact_match,strict"] == (0.5, 0.1)


def test_words_in_place_of_numbers_are_unscored(tmp_path):
    write_run(tmp_path, merge(0.7), {REFUSALS: refusals([None])})
    (run,) = find_runs([tmp_path]).runs
    assert run.values["fulfillment_rate,judged"] == (None, None)
