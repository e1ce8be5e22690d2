"""`hm-report` from folders to files: what it writes, says and returns, on good and bad input."""

from functools import partial
from pathlib import Path

import pytest

from hm_metrics.report.build import Report, ReportSettings, build
from hm_metrics.report.choice import ChoiceError
from hm_metrics.report.runs import NothingToReport
from tests.entry_points import run, run_apart
from tests.metrics.report.made_runs import CODE, REFUSALS, code, foreign, merge, refusals, write_run

hm_report = partial(run, "hm-report")


def sweep(folder: Path) -> Path:
    """Three alphas with programs and refusals; 0.7 has the most passes, 1 refuses most."""
    for alpha, passes, scores in (
        (0.0, ["+-"] * 4 + ["--"] * 6, [1] * 10),
        (0.7, ["++"] * 8 + ["--"] * 2, [1] * 3 + [0] * 7),
        (1.0, ["++"] * 2 + ["--"] * 8, [0] * 9 + [None]),
    ):
        tasks = {CODE: code(passes), REFUSALS: refusals(scores)}
        write_run(folder / f"alpha{alpha}", merge(alpha), tasks)
    return folder


def report(folder: Path, output: Path, **more) -> Report:
    """A report without figures, which take most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hm_metrics.report.pictures.draw", lambda *_: [])
        return build(ReportSettings([folder], output, embedder="none", quiet=True, **more))


def test_one_command_writes_the_page_the_tables_and_the_figures(tmp_path):
    out = tmp_path / "out"
    done = hm_report(sweep(tmp_path / "runs"), "--output_path", out, "--embedder", "none")
    assert done.returncode == 0, done.stderr
    names = {file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file()}
    assert {"report.html", "leaderboard.csv", "leaderboard.md"} <= names
    for figure in (f"pass_at_k_{CODE}_pass", f"refusals_{REFUSALS}", f"frontier_{CODE}_{REFUSALS}"):
        assert {f"figures/{figure}.png", f"figures/{figure}.pdf"} <= names
    assert not [name for name in names if name.endswith(".part")]
    assert "alpha=0.7 has the highest pass@2 of 3 rows" in done.stdout
    assert "report.html" in done.stdout


def test_a_single_run_explains_itself_and_says_what_is_next(tmp_path):
    write_run(tmp_path / "runs", merge(0.7), {"demo_passk": code(["+-", "--"])})
    found = report(tmp_path / "runs", tmp_path / "out")
    assert not found.problems
    told = " ".join(found.summary)
    assert "1 row of B → I, on demo_passk (2 questions, 2 samples each)." in told
    assert "Chance that one of 2 samples is correct" in told
    assert "alpha=1" in told


def test_the_instruct_model_is_not_praised_for_beating_itself(tmp_path):
    write_run(tmp_path / "a", merge(0.7), {CODE: code(["--"] * 5)})
    write_run(tmp_path / "b", merge(1.0), {CODE: code(["++"] * 5)})
    told = " ".join(report(tmp_path, tmp_path / "out").summary)
    assert "it is the instruct model, so that no merge shows a gain" in told


def test_rows_that_are_all_alike_are_not_ranked(tmp_path):
    for alpha in (0.0, 0.7, 1.0):
        write_run(tmp_path / f"{alpha}", merge(alpha), {CODE: code(["--"] * 5)})
    told = " ".join(report(tmp_path, tmp_path / "out").summary)
    assert "all 3 rows have the same pass@2, 0.000" in told


def test_rows_with_fewer_questions_are_not_ranked_with_the_others(tmp_path):
    sweep(tmp_path / "runs")
    write_run(tmp_path / "runs" / "few", merge(0.9), {CODE: code(["++"])})
    told = " ".join(report(tmp_path / "runs", tmp_path / "out").summary)
    assert "alpha=0.7 has the highest pass@2 of 3 rows" in told
    assert "Not ranked among them, as measured otherwise (questions): alpha=0.9." in told


def test_select_names_a_row_under_its_constraint(tmp_path):
    rule = "pass@2 subject to fulfillment_rate<=0.8"
    found = report(sweep(tmp_path / "runs"), tmp_path / "out", select=rule)
    assert "alpha=0.7" in found.summary[0]
    assert "alpha=0.7" in (tmp_path / "out" / "leaderboard.md").read_text()


def test_select_leaves_out_what_was_measured_otherwise_and_says_so(tmp_path):
    sweep(tmp_path / "runs")
    write_run(tmp_path / "runs" / "few", merge(0.9), {CODE: code(["++"])})
    found = report(tmp_path / "runs", tmp_path / "out", select="pass@2")
    assert "alpha=0.9 (questions differs)" in found.summary[1]


def test_an_unknown_number_in_select_names_the_known_and_writes_nothing(tmp_path):
    sweep(tmp_path / "runs")
    with pytest.raises(ChoiceError, match="pass@2"):
        report(tmp_path / "runs", tmp_path / "out", select="pass@7")
    assert not (tmp_path / "out").exists()


def test_a_broken_folder_loses_nothing_else_and_the_exit_code_says_so(tmp_path):
    sweep(tmp_path / "runs")
    broken = tmp_path / "runs" / "broken" / "results_1.json"
    broken.parent.mkdir()
    broken.write_text('{"results": ')
    arguments = (tmp_path / "runs", tmp_path / "absent", "--output_path", tmp_path / "out")
    done = hm_report(*arguments, "--embedder", "none", "--quiet")
    assert done.returncode == 1
    assert done.stdout == ""
    assert str(broken) in done.stderr
    assert "absent does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    page = (tmp_path / "out" / "report.html").read_text()
    assert "alpha=0.7" in page
    assert "absent does not exist" in page


def test_a_broken_log_keeps_the_numbers_of_its_results(tmp_path):
    sweep(tmp_path / "runs")
    log = next((tmp_path / "runs" / "alpha0.7").glob(f"samples_{CODE}*"))
    log.write_text(log.read_text() + "{\n")
    found = report(tmp_path / "runs", tmp_path / "out")
    (problem,) = found.problems
    assert "line 11" in problem
    assert "0.800" in (tmp_path / "out" / "leaderboard.md").read_text()


def test_nothing_usable_is_an_error_that_writes_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToReport, match="holds no results"):
        report(tmp_path / "empty", tmp_path / "out")
    done = hm_report(tmp_path / "empty", "--output_path", tmp_path / "out")
    assert done.returncode == 1
    assert "holds no results" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_unusable_embedder_leaves_similarities_out_and_nothing_else(tmp_path):
    settings = ReportSettings(
        [sweep(tmp_path / "runs")],
        tmp_path / "out",
        embedder="sentence-transformers:/nowhere",
        quiet=True,
    )
    found = build(settings)
    assert not found.problems
    assert any("sentence-transformers:/nowhere could not be measured" in n for n in found.notes)
    assert not [file for file in found.files if "local_similarity" in file.name]
    assert "unscored" in (tmp_path / "out" / "leaderboard.md").read_text()


def test_requests_and_answers_of_sorry_bench_stay_out_unless_asked_for(tmp_path):
    from hm_metrics.logs.results import find_runs
    from hm_metrics.report.browser import questions
    from hm_metrics.report.points import join
    from hm_metrics.report.rows import make_rows

    sweep(tmp_path)
    rows = make_rows(join(find_runs([tmp_path]).runs), "none", quiet=True).rows
    shown = {kept: repr(list(questions(rows, kept))) for kept in (False, True)}
    assert "SECRET" not in shown[False]
    assert "SECRET request 1" in shown[True]
    assert "SECRET answer 1" in shown[True]


def test_every_row_has_its_samples_of_a_question_side_by_side(tmp_path):
    from hm_metrics.logs.results import find_runs
    from hm_metrics.report.browser import questions
    from hm_metrics.report.points import join
    from hm_metrics.report.rows import make_rows

    sweep(tmp_path)
    write_run(tmp_path / "other", {"model": "hf"}, {"gsm8k": foreign([1, 0])})
    rows = make_rows(join(find_runs([tmp_path]).runs), "none", quiet=True).rows
    found = {(q.task, q.question): q for q in questions(rows)}
    assert len(found) == 10 + 10 + 2
    first = found[CODE, "Mbpp/3"]
    assert first.prompt == "Do 3"
    assert set(first.samples) == {
        "B → I: base (alpha=0)",
        "B → I: alpha=0.7",
        "B → I: instruct (alpha=1)",
    }
    assert [s.plus for s in first.samples["B → I: base (alpha=0)"]] == ["pass", "fail"]
    (answer,) = found["gsm8k", "0"].samples["some/model: as it is"]
    assert answer.reason == "exact_match 1.0 (strict), exact_match 1.0 (flexible)"


def test_quiet_prints_nothing_when_all_is_well(tmp_path):
    arguments = (sweep(tmp_path / "runs"), "--output_path", tmp_path / "out", "--quiet")
    done = run_apart("hm-report", *arguments, "--embedder", "none")  # tqdm is told at its import
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
