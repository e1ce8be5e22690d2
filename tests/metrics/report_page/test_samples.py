"""The sample browser in a real Chromium: who wrote what, by mouse, keys and address."""

from __future__ import annotations

import dataclasses

import pytest

from hm_metrics.report.html_file import write_page
from hm_metrics.report.samples_blob import PageSample, Question
from tests.metrics.report_page.made_up import CODE, LLAMAS, VICUNAS, report
from tests.metrics.report_page.reading import (
    columns_shown,
    open_samples,
    opened,
    text,
    texts,
    wait_for_question,
)


def test_samples_of_a_family_stand_side_by_side(browser):
    open_samples(browser)
    assert columns_shown(browser) == LLAMAS
    assert text(browser, "#question-name") == "Mbpp/0"
    assert text(browser, "#prompt") == "Write f0, the least item.\n"
    assert text(browser, "#entry-point") == "asks for f0"
    first = f"#columns [data-row='{LLAMAS[0]}']"
    assert "0 of 3 pass" in text(browser, f"{first} > header")
    assert texts(browser, f"{first} .numbers") == ["#1, #3", "#2"]
    assert texts(browser, f"{first} .badge") == [
        "\u2717 base: fail",
        "\u2717 extra: fail",
        "\u2713 base: pass",
        "\u23f1 extra: timeout",
    ]
    assert "there is no program" in text(browser, f"{first} .sample:nth-of-type(1)")
    assert texts(browser, f"{first} pre") == [
        "I cannot.",
        "def f0(items):\n    # Llama-3.1-8B at 0\n    return sorted(items)[:1]",
    ]


def test_n_p_t_g_and_escape_do_what_the_page_says(browser):
    browser.value("window.scrollTo(0, 120)")
    open_samples(browser)
    for key, number in (("n", 1), ("n", 2), ("p", 1), ("p", 0), ("p", 0), ("n", 1)):
        browser.press(key)
        wait_for_question(browser, number)
        assert text(browser, "#question-name") == f"Mbpp/{number}"
        current = texts(browser, "#questions a[aria-current] > span:first-child")
        assert current == [f"{CODE} Mbpp/{number}"]
    assert "Sure!" not in text(browser, "#columns")
    browser.press("t")
    browser.until("document.querySelector('#columns').textContent.includes('Sure!')")
    assert browser.value("document.querySelector('#toggle-raw').ariaPressed") == "true"
    assert len(texts(browser, "#columns .sample")) == 8
    browser.press("g")
    browser.until("document.querySelectorAll('#columns .sample').length === 12")
    assert texts(browser, "#columns .numbers")[:3] == ["#1", "#2", "#3"]
    browser.press("Escape")
    browser.until("document.querySelector('#browser').hidden")
    assert browser.value("document.activeElement.dataset.row") == LLAMAS[1]


def test_letters_typed_into_the_filter_are_no_commands(browser):
    open_samples(browser)
    browser.press("/")
    assert browser.value("document.activeElement.id") == "question-filter"
    for letter in "npp/1":
        browser.press(letter)
    assert browser.value("document.activeElement.value") == "npp/1"
    assert text(browser, "#question-name") == "Mbpp/0"
    browser.value("document.activeElement.value = ''")
    browser.write("bpp/1")
    assert len(texts(browser, "#questions li")) == 3  # 1, 10, 11
    assert text(browser, "#listed") == "3 of 15 questions"
    browser.press("Escape")
    browser.press("n")
    wait_for_question(browser, 1)
    browser.press("n")
    wait_for_question(browser, 10)


@pytest.mark.parametrize(
    ("kind", "numbers"), [("differ", "1 2 3 6 7 8 11"), ("every", "4 9"), ("none", "0 5 10")]
)
def test_questions_are_found_by_who_solves_them(browser, kind, numbers):
    open_samples(browser)
    browser.value(
        f"(() => {{ const k = document.querySelector('#kinds'); k.value = '{kind}';"
        " k.dispatchEvent(new Event('change')); })()"
    )
    names = texts(browser, "#questions li a > span:first-child")
    assert names == [f"{CODE} Mbpp/{number}" for number in numbers.split()]


def test_other_models_can_be_put_beside(browser):
    open_samples(browser)
    browser.click("#columns .column:nth-of-type(1) .drop")
    browser.until("document.querySelectorAll('#columns .column').length === 3")
    assert columns_shown(browser) == LLAMAS[1:]
    browser.click("#rows-title")
    browser.click(f"#rows input[data-row='{VICUNAS[0]}']")
    browser.until("document.querySelectorAll('#columns .column').length === 4")
    assert columns_shown(browser) == [*LLAMAS[1:], VICUNAS[0]]
    assert texts(browser, "#columns .mark b") == ["A", "A", "A", "B"]


def test_an_address_names_a_question_and_its_models(browser, folder):
    open_samples(browser, VICUNAS[3])
    browser.press("n")
    wait_for_question(browser, 1)
    address = browser.value("location.hash")
    assert address.startswith(f"#sample={CODE}/Mbpp/1&rows=")
    browser.open(folder / "report.html", address)
    wait_for_question(browser, 1)
    assert columns_shown(browser) == VICUNAS
    browser.open(folder / "report.html", f"#sample={CODE}/Mbpp%2F7")
    wait_for_question(browser, 7)
    assert columns_shown(browser) == LLAMAS


@pytest.mark.parametrize(
    "fragment", ["#sample=", "#sample=no/such", "#sample=%E0%A4%A&rows=%", "#sample"]
)
def test_an_address_of_nothing_is_no_error(browser, folder, fragment):
    opened(browser, folder / "report.html", fragment)
    assert browser.value("!document.querySelector('#browser').hidden") == ("=" in fragment)
    if "=" in fragment:
        wait_for_question(browser, 0)


def test_a_task_without_programs_shows_its_texts(browser, folder):
    browser.open(folder / "report.html", "#sample=sorry_bench/1")
    wait_for_question(browser, 13)
    assert columns_shown(browser) == LLAMAS
    assert set(texts(browser, "#columns pre")) == {"I cannot help with that."}
    assert set(texts(browser, "#columns .badge")) == {"refused"}
    assert "pass" not in text(browser, "#columns")


def test_a_report_without_samples_offers_none(browser, folder):
    write_page(dataclasses.replace(report(), samples=()), folder / "none.html")
    opened(browser, folder / "none.html", "#sample=x/y")
    assert browser.value("document.querySelector('#browser').hidden")
    assert browser.value("[...document.querySelectorAll('.to-samples')].every((a) => a.hidden)")
    assert browser.value("document.querySelector('#nav-samples').hidden")


@pytest.mark.campaign  # a claim about seconds, which a busy machine breaks
def test_thousands_of_questions_stay_quick(browser, folder):
    answer = {LLAMAS[0]: [PageSample("answer", "answer", "pass", "fail")]}
    many = (Question(CODE, f"q/{n}", "?", answer) for n in range(3000))
    write_page(dataclasses.replace(report(), samples=many), folder / "many.html")
    opened(browser, folder / "many.html", f"#sample={CODE}/q/2999")
    wait_for_question(browser, 2999)
    milliseconds = browser.value(
        "(async () => { const begin = performance.now(); for (let i = 0; i < 5; i += 1) {"
        " document.querySelector('#previous').click();"
        " await new Promise((done) => setTimeout(done)); } return performance.now() - begin; })()"
    )
    wait_for_question(browser, 2994)
    assert milliseconds < 2000
