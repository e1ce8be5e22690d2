"""What a reader finds on the page, and what they do there: words of the tests of this folder."""

from __future__ import annotations

import json

from tests.metrics.report_page.made_up import LLAMAS

READY = "document.documentElement.dataset.ready === 'true'"


def opened(browser, file, fragment=""):
    """The browser, with a page that is read to its end."""
    browser.open(file, fragment)
    browser.until(READY)
    return browser


def texts(browser, selector):
    """The text of all elements that a selector finds, as it is on the page."""
    found = f"[...document.querySelectorAll({json.dumps(selector)})]"
    return browser.value(f"{found}.map((e) => e.textContent)")


def text(browser, selector):
    """The same of the only one."""
    (only,) = texts(browser, selector)
    return only


def choose(browser, menu, value):
    """Choose an option of one of the leaderboard's menus, by its label."""
    browser.value(
        "(() => { const label = [...document.querySelectorAll('.controls label')]"
        f".find((l) => l.firstChild.textContent === {json.dumps(menu)});"
        f" const select = label.querySelector('select'); select.value = {json.dumps(value)};"
        " select.dispatchEvent(new Event('change')); })()"
    )


def heading(key):
    """The selector of a column's heading."""
    return f"#board button[data-key='{key}']"


def listed(browser):
    """Ids of the leaderboard's rows from top to bottom, group by group."""
    return browser.value(
        "[...document.querySelectorAll('#board tbody')].map((b) =>"
        " [...b.querySelectorAll('tr[data-row]')].map((r) => r.dataset.row))"
    )


def sorted_by(browser):
    """[key, direction] of each heading that says it sorts."""
    return browser.value(
        "[...document.querySelectorAll('#board th[aria-sort]')]"
        ".filter((h) => h.getAttribute('aria-sort') !== 'none')"
        ".map((h) => [h.querySelector('button').dataset.key, h.getAttribute('aria-sort')])"
    )


def open_samples(browser, row=LLAMAS[1]):
    """Follow a row's link to its samples."""
    browser.click(f"#board tr[data-row='{row}'] .to-samples")
    wait_for_question(browser, 0)


def wait_for_question(browser, number):
    """Until the samples of a question, by its place among all, are shown."""
    browser.until(f"document.querySelector('#columns')?.dataset.at === '{number}'")


def columns_shown(browser):
    """The rows whose samples stand side by side."""
    return browser.value(
        "[...document.querySelectorAll('#columns .column')].map((c) => c.dataset.row)"
    )
