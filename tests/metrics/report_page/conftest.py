"""A browser for the tests of this folder, and the two reports that it opens."""

from __future__ import annotations

import pytest

from hm_metrics.report.html_file import write_page
from tests.metrics.report_page.chromium import MISSING, PROGRAM, Chromium
from tests.metrics.report_page.made_up import attacked, report
from tests.metrics.report_page.reading import opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_page(report(), folder / "report.html")
    write_page(attacked(), folder / "attacked.html")
    return folder


@pytest.fixture(scope="module")
def chromium():
    if PROGRAM is None:
        pytest.skip(MISSING)
    with Chromium() as browser:
        yield browser


@pytest.fixture
def browser(chromium, folder):
    """The report, opened anew; whatever a test does, the page neither fetches nor complains."""
    chromium.dark(False)
    chromium.resize(1400, 900)
    yield opened(chromium, folder / "report.html")
    assert chromium.complaints == []
    assert [url for url in chromium.requests if not url.startswith("file:")] == []
