"""axe-core finds no fault in the page, on a telephone and on a desk, light and dark.

axe-core is no part of this project: `npm install axe-core`, and `AXE_PATH` names its axe.min.js.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.metrics.report_page.reading import open_samples

AXE = os.environ.get("AXE_PATH")
RUN = (
    "axe.run().then((found) => JSON.stringify({ passes: found.passes.map((rule) => rule.id),"
    " faults: found.violations.map((v) => [v.impact, v.id, ...v.nodes.map((n) => n.html)]) }))"
)

pytestmark = pytest.mark.skipif(AXE is None, reason="no axe-core: AXE_PATH names its axe.min.js")


@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_fault(browser, dark, width):
    browser.dark(dark)
    browser.resize(width, 844)
    browser.value(Path(str(AXE)).read_text("utf-8") + "; 1")
    browser.value("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for view in ("report", "samples"):
        if view == "samples":
            open_samples(browser)
        found = json.loads(browser.value(RUN))
        assert found["faults"] == []
        assert {"color-contrast", "scrollable-region-focusable", "image-alt"} & {*found["passes"]}
