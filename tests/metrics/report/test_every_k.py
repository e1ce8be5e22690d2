"""A row's pass@k at every k up to its samples, also where the run was asked for two of them."""

import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report.distributions import curves
from hm_metrics.report.every_k import every_k
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_answers import WRAPPED, answers
from tests.metrics.report.made_runs import CODE, code, merge, write_run


def row_of(folder, task, name=CODE):
    write_run(folder, merge(0.7), {name: task})
    (row,) = make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows
    return row


def test_k_that_nobody_asked_for_are_counted_from_the_samples(tmp_path):
    row = row_of(tmp_path, code(["+---", "++--"], ks=(1, 4)))
    found = every_k(row, CODE, "pass")
    assert list(found) == [1, 2, 3, 4]
    assert [found[k].value for k in found] == pytest.approx([3 / 8, 2 / 3, 7 / 8, 1.0])
    assert found[2].error == pytest.approx(1 / 6)
    assert found[4] is row.values[CODE]["pass@4"]


def test_they_are_those_of_a_run_that_was_asked_for_all(tmp_path):
    words = ["+b-x", "bb+-", "xx-+"]
    two = row_of(tmp_path / "two", code(words, ks=(1, 4)))
    all_four = row_of(tmp_path / "four", code(words, ks=(1, 2, 3, 4)))
    for prefix in ("pass", "base_pass", "plus_only_pass"):
        ours = {k: (v.value, v.error) for k, v in every_k(two, CODE, prefix).items()}
        theirs = {k: (v.value, v.error) for k, v in every_k(all_four, CODE, prefix).items()}
        assert ours == theirs


def test_no_k_is_added_that_some_question_has_too_few_scored_samples_for(tmp_path):
    row = row_of(tmp_path, code(["+" * 40 + "??", "-" * 42], ks=(1, 42)))
    assert list(every_k(row, CODE, "pass")) == [*range(1, 41), 42]


def test_a_row_without_samples_has_the_k_of_its_results(tmp_path):
    row = row_of(tmp_path, code(["+---", "++--"], ks=(1, 4)) | {"lines": []})
    assert list(every_k(row, CODE, "pass")) == [1, 4]


def test_where_too_few_samples_have_a_verdict_there_is_no_curve(tmp_path):
    row = row_of(tmp_path, code(["+???", "++--"], ks=(1, 4)))
    assert every_k(row, CODE, "pass") == {}
    assert not curves([row], CODE, "pass")


def test_curves_are_drawn_through_every_k(tmp_path):
    row = row_of(tmp_path, code(["+---", "++--"], ks=(1, 4)))
    ((curve,),) = curves([row], CODE, "base_pass").values()
    assert curve.k == [1, 2, 3, 4]


def test_of_a_wrapped_task_the_headlines_right_answers_are_counted(tmp_path):
    row = row_of(tmp_path, answers(["AAbb", "Abbb"], ks=(1, 4)), WRAPPED)
    found = every_k(row, WRAPPED, "pass")
    assert [found[k].value for k in found] == pytest.approx([3 / 8, 2 / 3, 7 / 8, 1.0])
    assert list(every_k(row, WRAPPED, "maj")) == [1, 4], "votes are counted at the k asked for"
