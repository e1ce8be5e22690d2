"""Contests, portfolios and forecasts out of logs: who takes part, what is said, and what is drawn."""

from pathlib import Path

import numpy as np
import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report.build import ReportSettings, build
from hm_metrics.report.contest import fights, sides_of, tuned
from hm_metrics.report.contest_pictures import contest_pictures, forecast_pictures
from hm_metrics.report.contest_tables import (
    fights_table,
    forecast_table,
    portfolio_table,
    tuned_table,
)
from hm_metrics.report.forecast import forecasts
from hm_metrics.report.leaderboard import columns_of
from hm_metrics.report.points import join
from hm_metrics.report.portfolios import portfolios
from hm_metrics.report.rows import Row, make_rows
from tests.metrics.report.made_runs import CODE, REFUSALS, code, merge, refusals, write_run

N, QUESTIONS = 6, 24


def words(chances: np.ndarray, random: np.random.Generator) -> list[str]:
    return ["".join("+" if x < p else "-" for x in random.random(N)) for p in chances]


def sweep(folder: Path, lead: float) -> Path:
    """Merges whose chances are `lead` above those of sampling, all as varied."""
    random = np.random.default_rng(0)
    chances = random.beta(1, 1, QUESTIONS)
    settings = [(0.3, 0.7), (0.6, 0.7), (1.0, 0.7), (1.0, 1.0), (1.0, 1.4)]
    for alpha, temperature in settings:
        better = np.clip(chances + (lead if alpha < 1 else 0.0), 0, 1)
        task = code(words(better, random), temperature, ks=(1, 5))
        for line in task["lines"]:
            line["distinct_programs"] = float(random.integers(2, 5))
        asked = refusals([int(x) for x in random.random(10) < 0.5], temperature=temperature)
        write_run(folder / f"{alpha}-{temperature}", merge(alpha), {CODE: task, REFUSALS: asked})
    return folder


def rows_of(folder: Path) -> list[Row]:
    return make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[Row]:
    return rows_of(sweep(tmp_path_factory.mktemp("runs"), lead=0.4))


def test_merges_with_their_alpha_1_fight_the_instruct_model_at_all_temperatures(rows):
    (sides,) = sides_of(rows, CODE)
    assert [row.point.label for row in sides.ours] == [
        "alpha=0.3, T=0.7",
        "alpha=0.6, T=0.7",
        "instruct (alpha=1), T=0.7",
    ]
    assert [row.point.temperature for row in sides.theirs] == [0.7, 1.0, 1.4]
    assert sides.left_out == []


def test_quality_is_measured_against_diversity_refusals_and_pass_at_1(rows):
    found = fights(rows, columns_of(rows))
    assert [(fight.up, fight.across) for fight in found] == [
        ("pass@1", "distinct_programs"),
        ("pass@1", "1 - fulfillment_rate"),
        ("pass@5", "distinct_programs"),
        ("pass@5", "1 - fulfillment_rate"),
        ("pass@5", "pass@1"),
    ]
    assert [fight.headline for fight in found] == [True, False, False, False, False]
    assert [fight.same_questions for fight in found] == [True, False, True, False, True]
    assert found[0].ours.up.mean(axis=1)[0] == pytest.approx(rows[0].values[CODE]["pass@1"].value)


def test_the_sentence_says_who_wins_or_that_nothing_stands_out(rows, tmp_path):
    (fight, *_) = fights(rows, columns_of(rows))
    assert "merging (3 settings) against sampling (3)" in fight.sentence
    assert "merging wins" in fight.sentence
    alike = rows_of(sweep(tmp_path, lead=0.0))
    (fight, *_) = fights(alike, columns_of(alike))
    assert "nothing stands out" in fight.sentence


def test_a_row_with_another_protocol_is_left_out_and_named(rows, tmp_path):
    sweep(tmp_path, lead=0.4)
    write_run(tmp_path / "few", merge(0.9), {CODE: code(["+" * N] * 3, ks=(1, 5))})
    others = rows_of(tmp_path)
    (sides,) = sides_of(others, CODE)
    assert sides.left_out == ["alpha=0.9, T=0.7 (questions differs)"]
    assert "alpha=0.9" in fights(others, columns_of(others))[0].sentence
    (spent,) = portfolios(others)
    assert spent.left_out == ["alpha=0.9, T=0.7 (questions differs)"]


def test_one_temperature_alone_is_no_contest(tmp_path):
    for alpha in (0.5, 1.0):
        write_run(tmp_path / f"{alpha}", merge(alpha), {CODE: code(["+-"] * 5)})
    alone = rows_of(tmp_path)
    assert fights(alone, columns_of(alone)) == []
    assert fights_table([]) == tuned_table([]) == portfolio_table([]) == []


def test_tables_have_a_cell_for_every_head(rows):
    columns = columns_of(rows)
    tables = fights_table(fights(rows, columns)) + tuned_table(tuned(rows, columns))
    tables += portfolio_table(portfolios(rows)) + forecast_table(forecasts(rows), False)
    assert [len(table.rows) for table in tables] == [20, 1, 1, 5]
    for table in tables:
        assert all(len(line) == len(table.head) for line in table.rows)
    ((*_, ahead, naive, verdict),) = tables[1].rows
    assert {ahead, verdict} <= {"merging", "nothing stands out"}
    assert naive.startswith("+0.")


def test_a_portfolio_spends_the_budget_over_the_rows(rows):
    (found,) = portfolios(rows, k=4)
    assert found.result is not None
    assert sum(found.result.split) == 4
    assert "4 samples are best spent as" in found.sentence
    (beyond,) = portfolios(rows, k=50)
    assert beyond.result is None
    assert "5 rows of 6, 6, 6, 6, 6 samples a question can give 1 to 30" in beyond.sentence


def test_forecasts_go_beyond_the_samples_alone(rows):
    found = forecasts(rows)
    assert [len(one.beyond) for one in found] == [3] * 5
    assert found[0].measured == 5
    assert found[0].beyond[-1].value > found[0].row.values[CODE]["pass@5"].value - 0.05


def test_both_frontiers_are_drawn_with_bands_and_forecasts_dotted(rows):
    ((title, caption, name, make),) = contest_pictures(fights(rows, columns_of(rows)))
    assert title.startswith("Merging against sampling: pass@1 against distinct_programs")
    assert "merging wins" in caption
    axes = make().axes[0]
    assert len(axes.collections) == 2
    assert {line.get_gid() for line in axes.get_lines()} == {"steps", "points"}
    ((_, caption, name, make),) = forecast_pictures(forecasts(rows)[:2])
    assert name == f"extrapolated_{CODE}"
    assert "not measured" in caption
    curves = [line for line in make().axes[0].get_lines() if line.get_gid() == "paper"]
    assert [max(line.get_xdata()) for line in curves] == [100, 100]


def test_the_report_has_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("hm_metrics.report.pictures.draw", lambda *_: [])
    folder = sweep(tmp_path / "runs", lead=0.4)
    settings = ReportSettings([folder], tmp_path / "out", embedder="none", quiet=True)
    found = build(settings)
    assert any("merging wins" in line for line in found.summary)
    page = (tmp_path / "out" / "report.html").read_text()
    for title in ("A fair contest", "Equal tuning", "Portfolios", "A larger k, extrapolated"):
        assert title in page


def test_a_sampler_is_more_than_a_temperature(tmp_path):
    sweep(tmp_path, lead=0.4)
    narrow = code(["+-" * (N // 2)] * QUESTIONS, 1.4, ks=(1, 5))
    narrow["config"]["generation_kwargs"]["min_p"] = 0.1
    write_run(tmp_path / "narrow", merge(1.0), {CODE: narrow})
    (sides,) = sides_of(rows_of(tmp_path), CODE)
    assert len(sides.ours) == 3
    assert "instruct (alpha=1), T=1.4, min_p=0.1" in [row.point.label for row in sides.theirs]
    assert len(sides.theirs) == 4


def test_asking_for_several_answers_in_words_is_a_setting_of_sampling(tmp_path):
    folder = sweep(tmp_path, lead=0.0)
    random = np.random.default_rng(1)
    several = code(words(random.beta(1, 1, QUESTIONS), random), 0.7, ks=(1, 5))
    several["config"]["metadata"]["call"] = {"verbalized": 3, "calls": 2, "max_gen_toks": 2304}
    write_run(folder / "several", merge(1.0), {CODE: several})
    (sides,) = sides_of(rows_of(folder), CODE)
    assert "instruct (alpha=1), T=0.7, verbalized=3" in [row.point.label for row in sides.theirs]
    assert not any("verbalized" in row.point.label for row in sides.ours)
    assert sides.left_out == []
