"""Lines of Python that pages show: indented blocks that begin with an import.

>>> [s.code for s in snippets_in("Text\\n\\n    import a\\n\\n    a.b()\\n\\nMore text\\n")]
['import a\\n\\na.b()']
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

BLOCK = re.compile(r"(?:^    .*\n(?:\n(?=    ))?)+", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Snippet:
    """A block of a page, and the number of its first line."""

    line: int
    code: str


def snippets_in(page: str) -> Iterator[Snippet]:
    """All of them, in order."""
    for block in BLOCK.finditer(page):
        code = "\n".join(line[4:] for line in block[0].splitlines())
        if re.match(r"(import|from) \w", code) and "\n" in code:
            yield Snippet(page.count("\n", 0, block.start()) + 1, code)
