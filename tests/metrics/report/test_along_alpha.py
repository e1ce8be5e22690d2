"""The first picture of a report, over alpha, and what a lone merge has over its instruct model."""

from hm_metrics.figures import AlphaLine, along_alpha_figure
from hm_metrics.logs.results import find_runs
from hm_metrics.report import distributions
from hm_metrics.report.build import ReportSettings, build
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import CODE, code, merge, write_run


def runs(folder, *alphas):
    """At each alpha that many tenths of twenty questions are right, both samples."""
    for alpha in alphas:
        right = round(10 * alpha)
        passes = ["++"] * 2 * right + ["--"] * 2 * (10 - right)
        write_run(folder / f"{alpha}", merge(alpha), {CODE: code(passes)})
    return folder


def test_each_number_is_a_line_over_alpha_with_its_errors(tmp_path):
    found = find_runs([runs(tmp_path, 0.0, 0.7, 1.0)]).runs
    rows = make_rows(join(found), "none", quiet=True).rows
    lines = distributions.along_alpha(rows, CODE, ["pass@1", "pass@2"], {rows[0].point.id})
    ((one, two),) = lines.values()
    assert (one.label, two.label) == ("pass@1", "pass@2")
    assert (list(one.alpha), list(one.value)) == ([0.0, 0.7, 1.0], [0.0, 0.7, 1.0])
    assert one.error[1] > 0
    assert sum(one.otherwise) == 1


def test_two_alphas_make_no_line(tmp_path):
    found = find_runs([runs(tmp_path, 0.7, 1.0)]).runs
    rows = make_rows(join(found), "none", quiet=True).rows
    assert distributions.along_alpha(rows, CODE, ["pass@1"], set()) == {}


def test_points_that_were_measured_otherwise_are_hollow():
    line = AlphaLine("pass@1", [0, 0.5, 1], [0.1, 0.3, 0.2], [0.01] * 3, [True, False, False])
    left, right = along_alpha_figure({"f": ([line], [])}, "c").axes
    (hollow,) = [drawn for drawn in left.lines if drawn.get_gid() == "otherwise"]
    assert (list(hollow.get_xdata()), list(hollow.get_ydata())) == ([0], [0.1])
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["pass@1"]
    assert not right.lines


def test_a_report_over_alphas_has_the_picture_and_says_that_the_base_was_asked_otherwise(tmp_path):
    settings = ReportSettings(
        [runs(tmp_path / "in", 0.0, 0.7, 1.0)], tmp_path / "out", "none", quiet=True
    )
    assert f"along_alpha_{CODE}.png" in {file.name for file in build(settings).files}
    assert "Hollow: measured otherwise (prompt style)" in (tmp_path / "out/report.html").read_text(
        "utf8"
    )


def test_a_lone_merge_is_compared_in_a_line_a_number(tmp_path):
    settings = ReportSettings(
        [runs(tmp_path / "in", 0.5, 1.0)], tmp_path / "out", "none", quiet=True
    )
    (said,) = [line for line in build(settings).summary if f", {CODE}, pass@" in line]
    assert said.startswith(f"alpha=0.5 over the instruct model, {CODE}, pass@")
    assert ": -0.500 [-0." in said
    assert said.endswith("real (p = 0.002).")


def test_a_lone_merge_that_is_no_better_does_not_stand_out(tmp_path):
    folder = tmp_path / "in"
    for alpha, passes in ((0.7, ["+-", "--", "++"]), (1.0, ["++", "--", "-+"])):
        write_run(folder / f"{alpha}", merge(alpha), {CODE: code(passes)})
    summary = build(ReportSettings([folder], tmp_path / "out", "none", quiet=True)).summary
    assert any("open, it may be chance (p = 1.000)." in line for line in summary)


def test_of_several_merges_the_table_tells(tmp_path):
    settings = ReportSettings(
        [runs(tmp_path / "in", 0.5, 0.7, 1.0)], tmp_path / "out", "none", quiet=True
    )
    assert not [line for line in build(settings).summary if "over the instruct model," in line]
