"""The file of a report: whole or not at all, plain ASCII, and nothing in it that is not ours."""

import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hm_metrics.report.html_file import SCRIPTS, STATIC, write_page
from hm_metrics.report.page import Cell, Column, Page, PageRow
from tests.metrics.report_page.made_up import attacked, questions, report

ADDRESS = re.compile(
    r"(https?:)?//[a-z]|url\(|@import|<link(?! rel=\"icon\" href=\"data:,\")", re.I
)


def content(file):
    """The data that the page's script reads."""
    return json.loads(re.search(r'id="page">(.*?)</script>', file.read_text()).group(1))


class Scripts(HTMLParser):
    """The script elements as a browser's parser finds them."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            self.found.append(dict(attrs).get("type", "ours"))


def test_a_page_that_fails_leaves_the_old_one_and_no_part(tmp_path):
    file = tmp_path / "report.html"
    write_page(report(), file)
    before = file.read_bytes()

    def broken():
        yield from questions(3)
        raise OSError("the log is gone")

    with pytest.raises(OSError, match="the log is gone"):
        write_page(dataclasses.replace(report(), samples=broken()), file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_questions_are_read_one_at_a_time(tmp_path):
    """A generator may forget each question as soon as the next is asked for."""
    alive = []

    def one_by_one():
        for question in questions(5):
            (draft,) = tmp_path.glob(".report.html.*")
            alive.append(len(draft.read_bytes()))
            yield dataclasses.replace(question, prompt=np.random.default_rng(0).bytes(60_000).hex())

    write_page(dataclasses.replace(report(), samples=one_by_one()), tmp_path / "report.html")
    assert alive == sorted(alive)
    assert alive[4] > alive[1] + 100_000


@pytest.mark.parametrize("page", [report, attacked])
def test_the_file_is_ascii_and_names_nothing_outside(tmp_path, page):
    file = tmp_path / "report.html"
    write_page(page(), file)
    text = file.read_bytes().decode("ascii")
    # Digests of the page's own scripts may have two slashes in a row.
    text = re.sub(r"'sha256-[\w+/=]+'", "", text)
    assert not ADDRESS.search(re.sub(r'<script type="text/plain".*?</script>', "", text))


def test_attacks_open_no_element(tmp_path):
    kinds = []
    for page in (report(), attacked()):
        page = dataclasses.replace(page, samples=list(page.samples))
        write_page(page, tmp_path / "report.html")
        parser = Scripts()
        parser.feed((tmp_path / "report.html").read_text())
        data = len(page.samples) + len(page.figures)
        assert parser.found == [
            "application/json",
            "ours",
            *["text/plain"] * data,
            "application/json",
        ]
        kinds.append(set(parser.tags))
    assert kinds[0] == kinds[1]


def test_numbers_of_numpy_and_none_numbers_are_written(tmp_path):
    file = tmp_path / "report.html"
    cells = {
        "a": Cell(np.float32(0.25), np.float64(0.125), np.float64("nan"), np.int64(7)),
        "b": Cell(float("nan"), n=0),
        "c": Cell("words"),
    }
    keys = [Column(key, key) for key in "abc"]
    write_page(Page("t", [], keys, [PageRow("r", "r", cells, {})]), file)
    assert content(file)["rows"][0]["cells"] == {
        "a": [0.25, 0.125, None, 7],
        "b": [None, None, None, 0],
        "c": ["words", None, None, None],
    }


def test_the_pages_own_code_cannot_end_its_element_and_depends_on_no_encoding(tmp_path):
    write_page(Page("\u00fc", [], [], []), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes().isascii()
    for name in ("report.css", *SCRIPTS):
        assert "</" not in (STATIC / name).read_text()
