"""`load_runs`: what a report reads, as a pandas frame and matplotlib figures."""

import math

import pytest
from matplotlib.figure import Figure

from hm_metrics.report import load_runs
from hm_metrics.report.build import ReportSettings, build
from hm_metrics.report.runs import NothingToReport
from tests.metrics.report.made_runs import CODE, code, merge, write_run

pandas = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    for number, alpha in enumerate((0, 0.7, [0.2, 0.9], 1)):
        marks = ["+-", "++", "--", "+-"[number % 2] * 2]
        write_run(out / str(number), merge(alpha), {CODE: code(marks)})
    write_run(out / "unscored", merge(0.5), {CODE: code(["??", "??", "??", "??"])})
    return out


@pytest.fixture(scope="module")
def report(folder, tmp_path_factory):
    """What `hm-report` makes of it."""
    out = tmp_path_factory.mktemp("report")
    build(ReportSettings([folder], out, embedder="none", quiet=True))
    return out


def test_the_frame_is_the_leaderboard_of_the_report(folder, report):
    frame = load_runs(folder, embedder="none").frame()
    written = pandas.read_csv(report / "leaderboard.csv")
    assert list(frame.columns) == list(written.columns)
    assert list(frame["row"]) == list(written["row"])
    for name in ("pass@1", "pass@1_stderr", "pass@2_low", "pass@1_questions"):
        assert frame[name].dtype.kind in "fi"
        pandas.testing.assert_series_equal(frame[name], written[name], check_dtype=False)


def test_alpha_is_a_number_unless_it_is_several_and_unscored_is_nan(folder):
    frame = load_runs(folder, embedder="none").frame().set_index("row")
    alphas = {row.partition(": ")[2]: alpha for row, alpha in frame["alpha"].items()}
    assert alphas["base (alpha=0)"] == 0.0
    assert alphas["alpha=0.7"] == 0.7
    assert "[0.2,0.9]" in {str(alpha).replace(" ", "") for alpha in alphas.values()}
    assert math.isnan(frame["pass@1"]["B → I: alpha=0.5"])


def test_figures_are_matplotlibs_by_the_names_of_their_files(folder, report):
    figures = load_runs(folder, embedder="none").figures()
    assert set(figures) == {file.stem for file in (report / "figures").glob("*.png")}
    assert all(isinstance(figure, Figure) for figure in figures.values())


def test_what_could_not_be_used_is_said_and_nothing_at_all_is_an_error(folder, tmp_path):
    (tmp_path / "results_broken.json").write_text("{")
    runs = load_runs(folder, str(tmp_path), embedder="none")
    assert len(runs.rows) == 5
    assert "results_broken.json" in runs.problems[0]
    with pytest.raises(NothingToReport, match="does not exist"):
        load_runs(tmp_path / "nowhere")
