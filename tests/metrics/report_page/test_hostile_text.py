"""Text that attacks the page, in a real Chromium: it is shown, and does nothing."""

from __future__ import annotations

from tests.metrics.report_page.made_up import ATTACKS, attacked
from tests.metrics.report_page.reading import columns_shown, opened, text, texts, wait_for_question


def test_hostile_text_is_only_ever_text(browser, folder):
    opened(browser, folder / "attacked.html")
    assert "</script>" in texts(browser, "#board .sort")[1]
    browser.click("#board thead th:nth-child(3) button")
    browser.click("#board .to-samples")
    wait_for_question(browser, 0)
    browser.press("t")
    for number in range(1, len(ATTACKS)):
        browser.press("n")
        wait_for_question(browser, number)
    assert browser.value("typeof window.hacked") == "undefined"
    alien = "main script, iframe, svg, object, embed, main img:not([data-figure])"
    assert browser.value(f"document.querySelectorAll('{alien}').length") == 0
    shown = set(columns_shown(browser))
    assert len(shown) == 4
    assert shown <= set(browser.value("JSON.parse(page.textContent).rows.map((r) => r.id)"))


def test_what_cannot_be_seen_is_spelled_out(browser, folder):
    opened(browser, folder / "attacked.html", "#sample=")
    wait_for_question(browser, 0)
    for number in range(1, len(ATTACKS)):
        browser.press("n")
        wait_for_question(browser, number)
        shown = texts(browser, "#columns .sample pre")[0]
        for character in "\x00\x07\x1b\x7f\u2028\u2029\u202e\u200b\ufeff\ud800\udc00\ufffd":
            assert character not in shown
        for character in ATTACKS[number]:
            if character.isprintable():
                assert character in shown
    assert text(browser, "#question-name") == "10/\U0001f600 é 漢字"


def test_an_address_can_name_hostile_questions_and_rows(browser, folder):
    opened(browser, folder / "attacked.html", "#sample=")
    wait_for_question(browser, 0)
    for number in range(1, 8):
        browser.press("n")
        wait_for_question(browser, number)
    seen = columns_shown(browser)
    browser.open(folder / "attacked.html", browser.value("location.hash"))
    wait_for_question(browser, 7)
    assert columns_shown(browser) == seen
    assert len(seen) == min(4, len(attacked().rows))


def test_a_script_that_got_in_would_not_run(chromium, folder):
    opened(chromium, folder / "report.html")
    chromium.value(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        " document.body.append(s); const d = document.createElement('div');"
        " d.innerHTML = '<img src=x onerror=\"window.hacked = 1\">'; document.body.append(d); })()"
    )
    tried = "fetch('https://example.org').then(() => 'out', () => 'kept in')"
    assert chromium.value(tried) == "kept in"
    assert chromium.value("typeof window.hacked") == "undefined"
    assert any("Content Security Policy" in complaint for complaint in chromium.complaints)
    chromium.complaints.clear()
    chromium.requests.clear()
