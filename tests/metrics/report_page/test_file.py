"""The file of a report: whole or not at all, plain ASCII, and nothing in it that is not ours."""

import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hm_metrics.report.html_file import write_page
from hm_metrics.report.page import Cell, Column, Page, PageRow, ProtocolNote, Question, Sample
from tests.metrics.report_page.made_up import CODE, attacked, columns, questions, report, rows

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


def test_a_row_with_an_unexplained_mark_is_refused():
    with pytest.raises(ValueError, match=r"mark 'B' for mbppplus_passk, which no protocol note"):
        Page("t", [], [], [PageRow("r", "r", {}, {CODE: "B"})], [ProtocolNote("A", CODE, {})])


def test_a_cell_of_no_column_is_refused():
    with pytest.raises(ValueError, match=r"cell 'pass@9', which is no column"):
        Page("t", [], columns(), [PageRow("r", "r", {"pass@9": Cell(1)}, {})])


def test_two_rows_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two rows of the page are called"):
        dataclasses.replace(report(), rows=[*rows(), rows()[0]])


def test_a_question_that_comes_twice_is_refused(tmp_path):
    twice = [Question("t", "q", "", {}), Question("t", "q", "other", {})]
    with pytest.raises(ValueError, match="'q' of t comes twice"):
        write_page(Page("t", [], [], [], samples=twice), tmp_path / "report.html")


def test_samples_of_a_row_that_is_not_there_are_refused(tmp_path):
    stray = [Question("t", "q", "", {"x": [Sample("x")]})]
    with pytest.raises(ValueError, match="no row of this page"):
        write_page(Page("t", [], [], [], samples=stray), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
