"""Bases of one instruct model are stages of one family, which have alpha 1 in common."""

import csv

import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report import distributions
from hm_metrics.report.build import ReportSettings, build
from hm_metrics.report.choice import choose
from hm_metrics.report.comparisons import to_instruct
from hm_metrics.report.leaderboard import columns_of
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import CODE, code, merge, write_run

# By stage and alpha: eight questions of two samples, so that more passes at 500 and 0.7 than elsewhere.
PASSES = {
    (100, 0.0): ["--"] * 8,
    (100, 0.7): ["++", "+-"] + ["--"] * 6,
    (500, 0.0): ["+-"] + ["--"] * 7,
    (500, 0.7): ["++"] * 6 + ["+-"] * 2,
    (2000, 0.7): ["++"] * 3 + ["--"] * 5,
    (100, 1.0): ["+-"] * 4 + ["--"] * 4,
    (500, 1.3): ["+-"] * 2 + ["--"] * 6,
}


def stage_run(folder, stage, alpha, passes, **more):
    known = {"base_identity": f"id{stage}", "instruct_identity": "it"}
    config = merge(alpha, f"/r/sft/checkpoint-{stage}", "/r/it", **known, **more)
    return write_run(folder / f"{stage}-{alpha}", config, {CODE: code(passes)})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("staged")
    for (stage, alpha), passes in PASSES.items():
        stage_run(folder, stage, alpha, passes)
    return folder


@pytest.fixture(scope="module")
def rows(runs):
    return make_rows(join(find_runs([runs]).runs), "none", quiet=True).rows


def test_rows_are_one_family_in_order_of_the_stages_numbers(rows):
    assert {row.point.family for row in rows} == {"sft → it"}
    assert [row.point.label for row in rows] == [
        "checkpoint-100, base (alpha=0)",
        "checkpoint-100, alpha=0.7",
        "checkpoint-500, base (alpha=0)",
        "checkpoint-500, alpha=0.7",
        "checkpoint-500, alpha=1.3 (extrapolated)",
        "checkpoint-2000, alpha=0.7",
        "instruct (alpha=1)",
    ]


def test_an_extrapolated_row_says_so(rows):
    marked = [row.point.label for row in rows if any("extrapolated" in w for w in row.warnings)]
    assert marked == ["checkpoint-500, alpha=1.3 (extrapolated)"]


def test_every_stage_is_compared_with_the_one_instruct_model(rows):
    found = to_instruct(rows, columns_of(rows))
    assert {c.against.point.label for c in found} == {"instruct (alpha=1)"}
    compared = {c.row.point.label for c in found if c.measure.metric == "pass@1"}
    assert compared == {row.point.label for row in rows} - {"instruct (alpha=1)"}
    assert all(c.difference is not None for c in found)


def test_select_picks_over_all_stages(rows):
    (found,) = choose("pass@1", rows, columns_of(rows))
    assert found.family == "sft → it"
    assert found.row.point.label == "checkpoint-500, alpha=0.7"


def test_each_stage_has_a_panel_of_curves_with_the_instruct_model_in_it(rows):
    panels = distributions.curves(rows, CODE, "pass")
    assert {name: [curve.label for curve in curves] for name, curves in panels.items()} == {
        "sft → it, checkpoint-100": ["base (alpha=0)", "alpha=0.7", "instruct (alpha=1)"],
        "sft → it, checkpoint-500": [
            "base (alpha=0)",
            "alpha=0.7",
            "alpha=1.3 (extrapolated)",
            "instruct (alpha=1)",
        ],
        "sft → it, checkpoint-2000": ["alpha=0.7", "instruct (alpha=1)"],
    }


def test_the_map_has_a_cell_for_each_stage_and_alpha(rows):
    (found,) = distributions.over_stages(rows, CODE, "pass@2").values()
    assert list(found.stages) == ["checkpoint-100", "checkpoint-500", "checkpoint-2000"]
    assert found.alphas == [0.0, 0.7, 1.0, 1.3]
    assert found.values["checkpoint-500", 0.7] == 1.0
    assert found.values["", 1.0] == 0.5
    assert ("checkpoint-2000", 0.0) not in found.values


def test_the_report_has_the_maps_and_the_board_names_the_stages(runs, tmp_path):
    report = build(ReportSettings([runs], tmp_path / "out", embedder="none", quiet=True))
    assert not report.problems
    drawn = {file.name for file in report.files}
    assert {f"stages_{CODE}_pass_{k}.png" for k in (1, 2)} <= drawn
    with (tmp_path / "out" / "leaderboard.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["stage"] for line in lines] == [
        *["checkpoint-100"] * 2,
        *["checkpoint-500"] * 3,
        "checkpoint-2000",
        "",
    ]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "pass@1 by stage and alpha" in page


def test_revisions_are_named_as_they_were_asked_for(tmp_path):
    for number, revision in enumerate(("step1000", "step2000")):
        known = {"base_revision": "c" * 40, "base_identity": revision, "instruct_identity": "it"}
        config = merge(0.7, "org/B", "org/I", **known)
        config["model_args"] = {"base": "org/B", "base_revision": revision}
        write_run(tmp_path / f"{number}", config, {CODE: code(["+-"])})
    found = join(find_runs([tmp_path]).runs)
    assert [p.id for p in found] == ["B → I: step1000, alpha=0.7", "B → I: step2000, alpha=0.7"]


def test_alpha_1_of_two_stages_is_one_row(tmp_path):
    for stage in (100, 500):
        stage_run(tmp_path, stage, 0.7, ["+-"])
        stage_run(tmp_path, stage, 1.0, ["++"])
    labels = [point.label for point in join(find_runs([tmp_path]).runs)]
    assert [label.partition(" in ")[0] for label in labels] == [
        "checkpoint-100, alpha=0.7",
        "checkpoint-500, alpha=0.7",
        "instruct (alpha=1)",
        "instruct (alpha=1)",
    ], "the second is the same model measured again, and says in which folder"


def test_a_stage_alone_with_the_instruct_model_of_another_is_a_plain_pair(tmp_path):
    stage_run(tmp_path, 500, 0.7, ["+-"])
    stage_run(tmp_path, 100, 1.0, ["++"])
    found = join(find_runs([tmp_path]).runs)
    assert [p.id for p in found] == [
        "checkpoint-500 → it: alpha=0.7",
        "checkpoint-500 → it: instruct (alpha=1)",
    ]
