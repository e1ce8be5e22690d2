"""`--baseline`: any row of the report, for one family or for all."""

import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report.baseline import BaselineError, baseline_of
from hm_metrics.report.build import ReportSettings, build
from hm_metrics.report.comparisons import to_baseline, to_instruct
from hm_metrics.report.leaderboard import columns_of
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import CODE, code, merge, write_run


@pytest.fixture
def folder(tmp_path):
    for base, instruct in (("B", "I"), ("C", "J")):
        for alpha, right in ((0.5, 6), (0.7, 8), (1.0, 4)):
            passes = ["++"] * right + ["--"] * (10 - right)
            run = merge(alpha, base, instruct)
            write_run(tmp_path / "runs" / f"{base}{alpha}", run, {CODE: code(passes)})
    passes = ["++"] * 3 + ["--"] * 7
    plain = {"model": "hf", "model_args": {"pretrained": "plain"}}
    write_run(tmp_path / "runs" / "plain", plain, {CODE: code(passes)})
    return tmp_path / "runs"


def pairs(folder, name):
    rows = make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows
    found = to_baseline(rows, columns_of(rows), baseline_of(name, rows))
    return {(c.row.point.id, c.against.point.id) for c in found if c.measure.metric == "pass@1"}


def test_by_default_every_pair_is_compared_with_its_own_instruct_model(folder):
    found = pairs(folder, "")
    assert found == {
        (f"{family}: alpha={alpha}", f"{family}: instruct (alpha=1)")
        for family in ("B → I", "C → J")
        for alpha in (0.5, 0.7)
    }
    rows = make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows
    columns = columns_of(rows)
    assert to_instruct(rows, columns) == to_baseline(rows, columns, baseline_of("", rows))


def test_a_label_means_that_row_of_each_family(folder):
    found = pairs(folder, "alpha=0.7")
    assert ("B → I: alpha=0.5", "B → I: alpha=0.7") in found
    assert ("C → J: instruct (alpha=1)", "C → J: alpha=0.7") in found
    assert not [pair for pair in found if pair[0].endswith("alpha=0.7")]
    assert not [pair for pair in found if pair[0].startswith("plain")]


def test_a_full_name_is_what_the_rows_of_all_families_are_compared_with(folder):
    found = pairs(folder, "B → I: alpha=0.7")
    assert ("C → J: alpha=0.5", "B → I: alpha=0.7") in found
    assert ("plain: as it is", "B → I: alpha=0.7") in found
    assert len(found) == 6


def test_a_label_that_one_family_alone_has_serves_all(folder):
    assert ("B → I: alpha=0.5", "plain: as it is") in pairs(folder, "as it is")


def test_a_baseline_that_is_no_row_names_the_rows_and_writes_nothing(folder, tmp_path):
    settings = ReportSettings([folder], tmp_path / "out", embedder="none", baseline="alpha=0.6")
    with pytest.raises(BaselineError, match=r"Did you mean alpha=0.[57]\?.*C → J: alpha=0.5"):
        build(settings)
    assert not (tmp_path / "out").exists()


def test_the_summary_and_the_table_speak_of_the_baseline(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("hm_metrics.report.pictures.draw", lambda *_: [])
    more = {"embedder": "none", "baseline": "alpha=0.5", "quiet": True}
    found = build(ReportSettings([folder], tmp_path / "out", **more))
    told = " ".join(found.summary)
    assert "B → I: alpha=0.7 has the highest pass@2 of 3 rows" in told
    assert "+0.200 [" in told
    assert "against the baseline (alpha=0.5)" in told
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Differences to the baseline (alpha=0.5)" in page
