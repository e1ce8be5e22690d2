r"""Text from elsewhere (names of models, tasks, metrics; warnings) inside our CSV, Markdown and cards.

    >>> print(csv_cell("=HYPERLINK(...)"), markdown_text("[a](b)"), code_span("a`b"), one_line("a\n---"))
    '=HYPERLINK(...) [a\](b) `` a`b `` a ---

Source: OWASP, "CSV Injection", for which cells a spreadsheet takes for formulas; GitHub Flavored
Markdown Spec 0.29, sections 2.4 and 6.3, for escapes and code spans.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

LONGEST = 200  # letters of a name: a page, a figure or a file's name need no more to tell two apart
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")
# What is markup, and no more, so that words stay readable: an underscore in a word emphasises nothing,
# and square brackets are a link only before a round one, another square one or a colon.
_MARKUP = re.compile(r"[\\`*<>|~$&]|^#|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_LINK = re.compile(r"(?i)\b(?:https?|ftp)://|\bwww\.|\b(?:mailto|xmpp):")


def one_line(text: str, longest: int = LONGEST) -> str:
    """Without control characters, ends of lines and turns of direction; a long one is cut."""
    plain = " ".join(_CONTROL.sub(" ", text).split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def csv_cell(text: str) -> str:
    """A cell that a spreadsheet shows as text; plain numbers stay numbers."""
    stripped = text.lstrip(" ")
    if stripped.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def markdown_text(text: str) -> str:
    """Text that no paragraph, table or list of Markdown takes for its own."""
    plain = _CONTROL.sub(" ", text)
    escaped = _MARKUP.sub(_escape, plain)
    # A viewer makes links of bare addresses; with the colon or point as an entity it does not.
    return _LINK.sub(lambda found: re.sub(r"[:.]", _entity, found[0]), escaped)


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as a CSV."""
    out = io.StringIO()
    csv.writer(out).writerows([csv_cell(str(cell)) for cell in row] for row in rows)
    return out.getvalue()


def markdown_table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells; the second row is the ruler.

    >>> print(markdown_table([["a", "b|c"], ["---", "---:"], ["1", "2"]]))
    | a | b\\|c |
    | --- | ---: |
    | 1 | 2 |
    """
    return "\n".join(f"| {' | '.join(map(markdown_text, row))} |" for row in rows)


def code_span(text: str) -> str:
    """The text as code: between more backticks than it has in a row."""
    plain = one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    space = " " if "`" in plain else ""
    return f"{fence}{space}{plain}{space}{fence}"


def _escape(found: re.Match[str]) -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(found[0], f"\\{found[0]}")


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
