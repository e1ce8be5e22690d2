"""What a reader meets first, and what waits until it is asked for: pictures, tables, folds, marks, headings."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from hm_metrics.report.html_file import write_page
from hm_metrics.report.page import PageFigure, Table
from hm_metrics.report.samples_blob import PageSample, Question
from tests.metrics.report_page.made_up import CODE, LLAMAS, png, protocols, report
from tests.metrics.report_page.reading import (
    columns_shown,
    listed,
    open_samples,
    opened,
    text,
    texts,
    wait_for_question,
)
from tests.metrics.report_page.test_whole_page import WEAK

HEADINGS = (
    "[...document.querySelectorAll('h1, h2, h3, h4')].filter((h) => h.getClientRects().length)"
    ".map((h) => Number(h.tagName[1]))"
)
WHOLE = Table("All 3 differences", "p: a test.", ["row", "p"], [["one", "0.1"]] * 3)


@pytest.fixture
def changed(browser, folder):
    """Opens the report with some of its parts replaced."""

    def of(**parts):
        write_page(dataclasses.replace(report(), **parts), folder / "changed.html")
        return opened(browser, folder / "changed.html")

    return of


def test_the_first_picture_stands_before_the_first_table_and_the_others_after(changed):
    figures = [PageFigure(f"figure {n}", f"caption {n}", png(), f"{n}.pdf") for n in range(3)]
    browser = changed(figures=figures)
    order = browser.value(
        "[...document.querySelectorAll('main img, main table')].map((e) => e.tagName)"
    )
    assert order == ["IMG", *["TABLE"] * 2, "IMG", "IMG", *["TABLE"] * 2]
    assert text(browser, "#summary figcaption b") == "figure 0"
    assert texts(browser, "#more-figures figcaption b") == ["figure 1", "figure 2"]
    browser.until("[...document.querySelectorAll('img')].every((i) => i.naturalWidth === 300)")


def test_every_picture_has_a_name_for_who_cannot_see_it(browser):
    names = browser.value("[...document.querySelectorAll('img')].map((i) => i.alt)")
    assert names == [figure.title for figure in report().figures]


def test_what_is_folded_is_shown_when_it_is_asked_for(changed):
    (table,) = report().tables
    browser = changed(tables=[dataclasses.replace(table, folded=WHOLE)])
    seen = "[...document.querySelectorAll('#table-0 tbody tr')].filter((r) => r.checkVisibility()).length"
    assert browser.value(seen) == len(table.rows)
    browser.value("document.querySelector('#table-0 summary').focus()")
    browser.press("Enter")
    assert browser.until("document.querySelector('#table-0 details').open")
    assert browser.value(seen) == len(table.rows) + 3
    assert text(browser, "#table-0 summary") == WHOLE.title


def test_a_mark_that_may_be_ranked_beside_another_has_no_table_of_its_own(changed):
    notes = [dataclasses.replace(n, beside="A" if n.mark == "B" else "") for n in protocols()]
    browser = changed(protocols=notes)
    assert [len(group) for group in listed(browser)] == [8]
    assert browser.value("document.querySelector('#apart').hidden")
    marks = texts(browser, f"#board .mark[title^='{CODE}'] b")
    assert sorted(marks) == ["A"] * 4 + ["B"] * 4
    assert texts(browser, "#board .under .facts") == ["temperature 1.0"] * 4
    # Equal to the ranks of one table: the best of all eight is number 1.
    assert texts(browser, "#board td.rank") == ["1", "2", "3", "4", "5", "6", "7", ""]


@pytest.mark.parametrize("samples", [False, True])
def test_headings_go_down_one_step_at_a_time_from_a_single_first(browser, samples):
    if samples:
        open_samples(browser)
    levels = browser.value(HEADINGS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("dark", [False, True])
def test_counts_of_what_passes_stand_out_however_many_do(changed, dark):
    passing = {LLAMAS[0]: [PageSample("f", "f", "pass", "pass")] * 9}
    browser = changed(samples=[Question(CODE, "all", "Write f.", passing, "f")])
    browser.dark(dark)
    open_samples(browser, LLAMAS[0])
    assert texts(browser, ".strip .some") == ["9"]
    assert browser.value(WEAK) == []


def test_words_that_the_first_sample_lacks_are_marked(browser):
    open_samples(browser)
    first = f"#columns [data-row='{LLAMAS[0]}']"
    assert texts(browser, f"{first} .fresh") == ["24 words differ"]
    assert texts(browser, f"{first} .sample:nth-of-type(1) mark") == []
    program = text(browser, f"{first} .sample:nth-of-type(2) pre")
    shown = "".join("".join(texts(browser, f"{first} .sample:nth-of-type(2) mark")).split())
    assert shown == "".join(program.split()).replace(".", "", 1)  # "I cannot." has the point


def test_another_sample_can_be_what_all_are_compared_with(browser):
    open_samples(browser)
    browser.click(f"#columns [data-row='{LLAMAS[0]}'] .sample:nth-of-type(2) .compare")
    second = f"#columns [data-row='{LLAMAS[1]}'] .sample:nth-of-type(2)"
    browser.until(f"document.querySelector(\"{second} mark\")?.textContent === '.7'")
    assert text(browser, f"{second} .fresh") == "2 words differ"  # the point and 7
    pressed = "[...document.querySelectorAll('.compare')].map((b) => b.ariaPressed)"
    assert browser.value(pressed).count("true") == 1
    browser.press("d")
    browser.until("document.querySelectorAll('#columns mark, .fresh, .compare').length === 0")


def test_every_sample_is_a_link_that_leads_to_it(browser, folder):
    open_samples(browser)
    links = browser.value("[...document.querySelectorAll('#columns .numbers')].map((a) => a.hash)")
    assert len(set(links)) == len(links) == 8
    for link, label in [(links[1], "#2"), (links[4], "#1, #3")]:
        browser.open(folder / "report.html", link)
        wait_for_question(browser, 0)
        assert texts(browser, "#columns .here .numbers") == [label]
        assert browser.until("document.activeElement.classList.contains('here')")
        assert columns_shown(browser) == LLAMAS


def test_opening_samples_takes_the_keyboard_there(browser):
    browser.value("document.querySelector('#board .to-samples').focus()")
    browser.press("Enter")
    wait_for_question(browser, 0)
    assert browser.value("document.activeElement.id") == "question-title"
