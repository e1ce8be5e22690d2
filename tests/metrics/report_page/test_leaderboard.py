"""The leaderboard in a real Chromium: sorted, filtered, and its protocols kept apart."""

from __future__ import annotations

import dataclasses
import json

import pytest

from hm_metrics.report.html_file import write_page
from hm_metrics.report.page import Cell, Column
from tests.metrics.report_page.made_up import FAMILIES, LLAMAS, VICUNAS, report, rows
from tests.metrics.report_page.reading import (
    choose,
    heading,
    listed,
    opened,
    sorted_by,
    text,
    texts,
)


def test_it_is_sorted_by_the_first_metric_from_the_best_on(browser):
    assert sorted_by(browser) == [["pass@10", "descending"]]
    llamas, vicunas = listed(browser)
    assert llamas == [LLAMAS[1], LLAMAS[2], LLAMAS[0], LLAMAS[3]]
    assert vicunas == [VICUNAS[1], VICUNAS[3], VICUNAS[0], VICUNAS[2]]


def test_a_heading_sorts_and_a_second_press_turns_it_around(browser):
    browser.click(heading("unscored"))
    assert sorted_by(browser) == [["unscored", "descending"]]
    assert listed(browser) == [LLAMAS[::-1], VICUNAS[::-1]]
    browser.click(heading("unscored"))
    assert sorted_by(browser) == [["unscored", "ascending"]]
    assert listed(browser) == [LLAMAS, VICUNAS]


def test_what_was_not_measured_is_last_both_ways(browser):
    browser.click(heading("pass@10"))
    assert sorted_by(browser) == [["pass@10", "ascending"]]
    assert listed(browser)[1] == [VICUNAS[0], VICUNAS[3], VICUNAS[1], VICUNAS[2]]
    # The best is number 1, wherever it stands.
    assert texts(browser, "#board td.rank") == ["4", "3", "2", "1", "3", "2", "1", ""]
    assert text(browser, f"tr[data-row='{VICUNAS[2]}'] td.none") == "\u2013"


def test_where_lower_is_better_the_lowest_comes_first(browser):
    browser.click(heading("fulfilled"))
    assert sorted_by(browser) == [["fulfilled", "ascending"]]
    assert listed(browser)[0][0] == VICUNAS[3]


def test_headings_are_sorted_by_keyboard(browser):
    browser.value(f"document.querySelector({json.dumps(heading('unscored'))}).focus()")
    browser.press("Enter")
    assert sorted_by(browser) == [["unscored", "descending"]]
    assert browser.value("document.activeElement.dataset.key") == "unscored"
    browser.press("Enter")
    assert sorted_by(browser) == [["unscored", "ascending"]]


def test_rows_of_different_protocols_are_ranked_apart(browser):
    assert len(listed(browser)) == 2
    assert browser.value("!document.querySelector('#apart').hidden")
    first, second = texts(browser, "#board .group")
    assert first.startswith("Ambppplus_passktemperature 0.7")
    assert second.startswith("Bmbppplus_passktemperature 1.0")
    assert texts(browser, "#board td.rank") == ["1", "2", "3", "4", "1", "2", "3", ""]
    assert texts(browser, "#board .best .value") == ["0.660", "0.200", "0.310", "0.100"]


def test_equal_values_share_a_rank_and_none_is_best(browser, folder):
    made = [dataclasses.replace(row, cells={"pass@10": Cell(0.5)}) for row in rows()[:4]]
    made[2] = dataclasses.replace(made[2], cells={"pass@10": Cell(0.4), "fulfilled": Cell(0.1)})
    made[3] = dataclasses.replace(made[3], cells={"fulfilled": Cell(0.1)})
    write_page(dataclasses.replace(report(), rows=made, samples=()), folder / "equal.html")
    opened(browser, folder / "equal.html")
    assert texts(browser, "#board td.rank") == ["1", "1", "3", ""]
    assert texts(browser, "#board .best .value") == ["0.500", "0.500"]


def test_a_task_of_one_protocol_ranks_all_rows_together(browser):
    browser.click(heading("fulfilled"))
    assert len(listed(browser)) == 1
    assert browser.value("document.querySelector('#apart').hidden")
    assert texts(browser, "#board td.rank") == list("12345678")


def test_no_value_is_best_among_those_of_another_protocol(browser):
    assert browser.value("document.querySelector('#mixed').hidden")
    browser.click(heading("fulfilled"))
    assert texts(browser, "#board .best .value") == ["0.100"]
    assert text(browser, "#mixed-columns") == "pass@10, unscored"
    assert not browser.value("document.querySelector('#mixed').hidden")


def test_every_row_shows_its_marks(browser):
    for row in rows():
        marks = texts(browser, f"#board tr[data-row='{row.id}'] .mark")
        assert marks == [f"{row.protocol[task]}{task}" for task in sorted(row.protocol)]


def test_a_value_has_its_interval_and_its_questions(browser):
    cell = f"#board tr[data-row='{LLAMAS[1]}'] td:nth-of-type(2)"
    assert text(browser, f"{cell} .value") == "0.660"
    assert text(browser, f"{cell} .around") == "0.610 \u2026 0.710 n 164"
    assert "95 % interval 0.610 to 0.710, 164 questions" in browser.value(
        f"document.querySelector({json.dumps(cell)}).title"
    )
    assert "n 440" in text(browser, "#board thead th:nth-child(4)")


def test_bars_of_a_column_share_a_scale(browser):
    """From 0.17, the lowest end of any interval, to 0.71, the highest."""
    bars = browser.value(
        "[...document.querySelectorAll('#board tr[data-row] td:nth-of-type(2) .bar')].map((bar) => {"
        " const w = bar.getBoundingClientRect(), i = bar.querySelector('i').getBoundingClientRect();"
        " return [(i.left - w.left) / w.width, (i.right - w.left) / w.width]; })"
    )
    want = [(v - 0.05, v + 0.05) for v in (0.66, 0.63, 0.61, 0.55, 0.31, 0.27, 0.22)]
    for bar, ends in zip(bars, want, strict=True):
        assert bar == pytest.approx([(end - 0.17) / 0.54 for end in ends], abs=0.01)


def test_the_filter_takes_words_in_any_order(browser):
    browser.press("/")
    assert browser.value("document.activeElement.id") == "filter"
    browser.write("0.7 LLAMA")
    assert listed(browser) == [[LLAMAS[1]]]
    assert text(browser, "#found") == "1 of 8 rows"
    browser.write(" nothing")
    assert listed(browser) == []
    assert text(browser, "#found") == "0 of 8 rows"


def test_menus_filter_by_family_and_task(browser):
    choose(browser, "family", FAMILIES[1])
    assert listed(browser) == [[VICUNAS[1], VICUNAS[3], VICUNAS[0], VICUNAS[2]]]
    choose(browser, "family", "")
    choose(browser, "task", "sorry_bench")
    assert [len(group) for group in listed(browser)] == [8]
    assert texts(browser, "#board .sort > span:first-child") == ["Model", "fulfilment rate"]
    assert sorted_by(browser) == [["fulfilled", "ascending"]]


def test_columns_can_be_put_away_and_taken_out(browser):
    assert "judge" not in texts(browser, "#board .sort > span:first-child")
    browser.click(".controls .pick summary")
    browser.click(".controls .pick label:nth-child(4) input")
    browser.click(".controls .pick label:nth-child(1) input")
    assert texts(browser, "#board .sort > span:first-child") == [
        "Model",
        "fulfilment rate",
        "unscored",
        "judge",
    ]
    browser.click("h1")
    assert not browser.value("document.querySelector('.controls .pick').open")


def test_a_warning_is_at_its_row(browser):
    warned = f"#board tr[data-row='{VICUNAS[2]}'] .warnings"
    assert "1 warning" in text(browser, warned)
    browser.click(f"{warned} summary")
    assert browser.value(
        "document.querySelector('.warnings li').getBoundingClientRect().height > 0"
    )
    assert len(texts(browser, ".warnings")) == 1


def test_headings_and_names_stay_in_sight(browser, folder):
    many = [dataclasses.replace(rows()[at % 8], id=str(at)) for at in range(80)]
    wide = [Column(f"c{at}", f"column {at}") for at in range(30)]
    page = dataclasses.replace(report(), rows=many, columns=[*report().columns, *wide], samples=())
    write_page(page, folder / "long.html")
    opened(browser, folder / "long.html")
    browser.value("document.querySelector('#leaderboard .wide').scrollTo(900, 900)")
    down, right, fits = browser.value(
        "(() => { const w = document.querySelector('#leaderboard .wide').getBoundingClientRect();"
        " const head = document.querySelector('thead th:nth-child(9)').getBoundingClientRect();"
        " const name = [...document.querySelectorAll('#board tbody .label')]"
        "  .map((n) => n.getBoundingClientRect()).find((n) => n.top > w.top + 100);"
        " return [head.top - w.top, name.left - w.left, w.height < innerHeight]; })()"
    )
    assert 0 <= down <= 2
    assert 0 <= right <= 60
    assert fits
