"""Every command of a page runs, in the page's order, and writes what it promises."""

import pytest

from tests.documents.pages import GENERATING

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("page", GENERATING)
def test_the_commands_of_a_page_that_generates_run(page, reader_of):
    reader = reader_of(page)
    for shown in reader.commands():
        reader.types(shown)
