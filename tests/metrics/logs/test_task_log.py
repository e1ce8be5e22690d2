"""Values of questions are computed from the samples, and a line is found again where it was."""

import numpy as np
import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.logs.samples import LogError
from hm_metrics.logs.task_log import CODE as CODE_KIND
from hm_metrics.logs.task_log import OTHER, Log, read
from hm_metrics.logs.task_log import REFUSALS as REFUSALS_KIND
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import CODE, REFUSALS, code, foreign, merge, refusals, write_run


def log_of(folder, task: dict, name: str = CODE) -> Log:
    write_run(folder, merge(0.7), {name: task})
    (run,) = find_runs([folder]).runs
    return read(run)


def test_pass_at_k_is_that_of_the_verdicts_by_each_counting_rule(tmp_path):
    log = log_of(tmp_path, code(["+bx-", "++--"]))
    assert log.kind == CODE_KIND
    np.testing.assert_allclose(log.values["pass@1"], [1 / 4, 1 / 2])
    np.testing.assert_allclose(log.values["base_pass@1"], [1 / 2, 1 / 2])
    np.testing.assert_allclose(log.values["plus_only_pass@1"], [1 / 2, 1 / 2])
    np.testing.assert_allclose(log.values["pass@2"], [1 / 2, 5 / 6])


def test_unscored_samples_are_left_out_and_too_few_give_no_value(tmp_path):
    log = log_of(tmp_path, code(["+?", "+-", "??"]))
    np.testing.assert_allclose(log.values["pass@1"], [1.0, 0.5, np.nan])
    np.testing.assert_allclose(log.values["pass@2"], [np.nan, 1.0, np.nan])
    assert log.unscored == 3


def test_a_line_is_found_again_though_texts_hold_other_line_breaks(tmp_path):
    log = log_of(tmp_path, code(["+-", "-+", "++"]))
    for number in (2, 0, 1):
        (line,) = log.at(f"Mbpp/{number}")
        assert line.record["doc_id"] == number
    assert log.at("Mbpp/9") == []
    assert [line.record["doc_id"] for line in log.lines()] == [0, 1, 2]


def test_refusals_are_counted_and_answers_without_a_score_have_no_value(tmp_path):
    log = log_of(tmp_path, refusals([1, 0, None]), REFUSALS)
    assert log.kind == REFUSALS_KIND
    np.testing.assert_allclose(log.values["fulfillment_rate"], [1.0, 0.0, np.nan])
    assert [tally.unscored for _, tally in log.tallies] == [0, 0, 1]


def test_filters_of_a_foreign_task_are_separate_numbers_of_the_same_questions(tmp_path):
    log = log_of(tmp_path, foreign([1, 0, 0]), "gsm8k")
    assert log.kind == OTHER
    assert len(log.questions) == 3
    np.testing.assert_allclose(log.values["exact_match,strict"], [1, 0, 0])
    np.testing.assert_allclose(log.values["exact_match,flexible"], [1, 1, 1])


def test_questions_have_one_digest_in_any_order(tmp_path):
    forward, backward = code(["+-", "-+"]), code(["+-", "-+"])
    backward["lines"].reverse()
    first, second = log_of(tmp_path / "a", forward), log_of(tmp_path / "b", backward)
    fewer = log_of(tmp_path / "c", code(["+-"]))
    assert first.digest == second.digest != fewer.digest


@pytest.mark.parametrize("line", ["{", "[]", '{"doc_id": 0}', '{"doc": {}, "resps": 3}'])
def test_a_broken_line_is_named(tmp_path, line):
    write_run(tmp_path, merge(0.7), {CODE: code(["+-"])})
    (run,) = find_runs([tmp_path]).runs
    with run.samples.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(LogError, match="line 2"):
        read(run)


def test_an_empty_log_is_named(tmp_path):
    write_run(tmp_path, merge(0.7), {CODE: code(["+-"])})
    (run,) = find_runs([tmp_path]).runs
    run.samples.write_text("\n")
    with pytest.raises(LogError, match="holds no samples"):
        read(run)


def test_a_part_of_the_benchmark_is_named_as_such(tmp_path):
    """Three questions of a log whose run had ten, or of a benchmark that has ten."""
    import json

    for number, key in enumerate(("effective", "original")):
        folder = tmp_path / f"{number}"
        file = write_run(folder, merge(0.7), {CODE: code(["++"] * 3)})
        content = json.loads(file.read_text())
        content["n-samples"][CODE][key] = 10
        file.write_text(json.dumps(content))
        (row,) = make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows
        assert f"{CODE}: a part of the benchmark alone: 3 of 10 questions." in row.warnings
        assert row.facts[CODE]["questions"] == "3 of 10"


def test_too_many_samples_without_a_verdict_leave_pass_at_k_without_a_value(tmp_path):
    for words, has_value in (
        (["+" * 9 + "-"] * 19 + ["?" * 10], True),
        (["+-"] * 3 + ["+?"], False),
    ):
        folder = tmp_path / str(has_value)
        write_run(folder, merge(0.7), {CODE: code(words, ks=(1,))})
        (row,) = make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows
        for metric in ("pass@1", "base_pass@1", "plus_only_pass@1"):
            assert np.isnan(row.values[CODE][metric].value) != has_value
        assert (
            any(
                "pass@k has no value, since too few samples have a verdict (unscored: 1 of 8)" in w
                for w in row.warnings
            )
            != has_value
        )


def test_a_log_packed_by_gzip_is_read_as_the_plain_one(tmp_path):
    import gzip

    write_run(tmp_path, merge(0.7), {CODE: code(["+-", "--"])})
    (run,) = find_runs([tmp_path]).runs
    plain = read(run)
    packed = run.samples.with_name(run.samples.name + ".gz")
    packed.write_bytes(gzip.compress(run.samples.read_bytes()))
    run.samples.unlink()
    (again,) = find_runs([tmp_path]).runs
    found = read(again)
    assert again.samples == packed
    assert [line.record for line in found.at("Mbpp/1")] == plain_lines(packed)[1:]
    np.testing.assert_array_equal(found.values["pass@1"], plain.values["pass@1"])


def plain_lines(packed):
    import gzip
    import json

    return [json.loads(line) for line in gzip.decompress(packed.read_bytes()).split(b"\n") if line]
