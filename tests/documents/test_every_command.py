"""Every command of every page is run by a test, or has a reason that its page tells."""

import doctest
import importlib

import pytest

from tests.documented import commands_in
from tests.documents.pages import GENERATING, OF_RESULTS, PAGES, TUTORIAL
from tests.documents.reasons import NOT_RUN, needs
from tests.entry_points import ROOT

SHOWN = [(page, shown) for page in PAGES for shown in commands_in((ROOT / page).read_text("utf8"))]
# Words on a page whose commands need what many readers have not.
TOLD = {
    "a GPU": "GPU",
    "a Ray cluster": "Ray cluster",
    "the hub": "The hub",
    "an account": "Trackio",
}


def test_each_is_run_or_has_a_reason():
    run = [page for page, shown in SHOWN if needs(page, shown.words) is None]
    assert set(run) == {*GENERATING, *OF_RESULTS, TUTORIAL}
    assert len(run) > 70, "the pages' readers type most of what they see"


def test_no_reason_is_left_over():
    for form, why in NOT_RUN.items():
        others = {other: kept for other, kept in NOT_RUN.items() if other != form}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.documents.reasons.NOT_RUN", others)
            free = [page for page, shown in SHOWN if needs(page, shown.words) is None]
        assert len(free) > sum(needs(page, s.words) is None for page, s in SHOWN), (form, why)


@pytest.mark.parametrize(
    ("page", "shown", "why"),
    [(page, shown, why) for page, shown in SHOWN if (why := needs(page, shown.words)) in TOLD],
)
def test_a_page_says_what_its_commands_need(page, shown, why):
    assert TOLD[why] in (ROOT / page).read_text("utf8"), shown.line


@pytest.mark.parametrize("name", ["answering", "reasons", "snippets", "stands_for"])
def test_the_examples_of_the_helpers_run(name):
    module = importlib.import_module(f"tests.documents.{name}")
    failed, tried = doctest.testmod(module)
    assert (tried > 0, failed) == (True, 0)
