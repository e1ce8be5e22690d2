"""The lines of Python of the pages run (those of docs/python.md: end_to_end/test_python_page.py)."""

import pytest

from tests.documents.pages import FILES, TUTORIAL
from tests.documents.snippets import snippets_in
from tests.entry_points import ROOT

ELSEWHERE = {TUTORIAL, "docs/python.md", "docs/api.md"}
SHOWING = [
    page
    for file in sorted(FILES)
    if (page := str(file.relative_to(ROOT))) not in ELSEWHERE
    and any(snippets_in(file.read_text("utf8")))
]


@pytest.mark.engine
@pytest.mark.parametrize("page", SHOWING)
def test_lines_of_python_run_by_themselves(page, reader_of):
    reader = reader_of(page)
    for snippet in snippets_in((ROOT / page).read_text("utf8")):
        names: dict = {}
        reader.executes(snippet, names)
        assert names.keys() > {"__builtins__"}
