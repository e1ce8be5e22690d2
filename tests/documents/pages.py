"""The pages that show commands, in two halves that take as long as each other."""

from pathlib import Path

from tests.documented import commands_in
from tests.documents.reasons import needs
from tests.entry_points import ROOT

TUTORIAL = "docs/tutorial.md"
OF_RESULTS = (
    *("docs/contest.md", "docs/curation.md", "docs/curation_rewrite.md", "docs/hm_merge.md"),
    *("docs/reports.md", "docs/scoring.md", "docs/sweeps.md"),
)
FILES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/*/README.md")]
PAGES = [
    str(page.relative_to(ROOT))
    for page in sorted(FILES)
    if any(commands_in(page.read_text("utf8")))
]


def is_run(page: str) -> bool:
    """Whether a test can run any of the page's commands."""
    text = Path(ROOT, page).read_text("utf8")
    return any(needs(page, shown.words) is None for shown in commands_in(text))


GENERATING = [page for page in PAGES if page not in (TUTORIAL, *OF_RESULTS) and is_run(page)]
