"""The report in a real Chromium, without a network: it opens, explains itself, and can be read."""

from __future__ import annotations

import json

import pytest

from hm_metrics.report.html_file import write_page
from hm_metrics.report.page import Page
from tests.metrics.report_page.reading import open_samples, opened, text, texts

# Texts whose contrast with the nearest opaque ground is below 4.5.
WEAK = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const ground = (e) => rgb(getComputedStyle(e).backgroundColor);
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const weak = new Set();
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.getClientRects().length || e.tagName === 'OPTION') continue;
    let under = e;
    while (under !== document.body && ground(under)[3] < 255) under = under.parentElement;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(under))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.add(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2));
  }
  return [...weak];
})()"""


def test_it_opens_without_network_errors_or_requests(browser, folder):
    assert browser.requests[-1] == (folder / "report.html").as_uri()
    assert browser.value("performance.getEntriesByType('resource').length") == 0
    assert browser.value("document.title") == text(browser, "h1") == "Two families, four alphas"
    assert texts(browser, ".lead")[0] == "8 rows of 2 families."


def test_tables_pictures_protocols_and_notes_are_there(browser):
    assert "0.0003" in text(browser, "#table-0")
    assert browser.until("document.querySelector('#figures img').naturalWidth") == 300
    assert texts(browser, "#protocols .differs th") == ["temperature differs"]
    assert "passed over" in text(browser, "#notes")
    missing = browser.value(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.hash.slice(1))"
        ".filter((id) => id && !id.startsWith('sample=') && !document.getElementById(id))"
    )
    assert missing == []


def test_it_explains_itself(browser):
    browser.click("#nav a[href='#how']")
    browser.until("document.querySelector('#how').open")
    said = text(browser, "#how")
    for words in ("95 % interval", "protocol", "bold", "n and p", "question by question", "loads"):
        assert words in said, words


def test_an_empty_report_opens(browser, folder):
    write_page(Page("Nothing", [], [], []), folder / "empty.html")
    opened(browser, folder / "empty.html")
    assert text(browser, "#found") == "0 rows"


@pytest.mark.parametrize("width", [1400, 700, 380])
def test_the_page_itself_never_scrolls_sideways(browser, width):
    browser.resize(width, 800)
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    open_samples(browser)
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(browser, dark):
    """WCAG AA: 4.5 to 1, of every text that is seen, in both colour schemes."""
    browser.dark(dark)
    browser.value("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert browser.value(WEAK) == []
    open_samples(browser)
    assert browser.value(WEAK) == []
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(json.loads(ground.replace("rgb(", "[").replace(")", "]"))) < 200) == dark
