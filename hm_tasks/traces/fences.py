"""Blocks of code in Markdown, as models write them.

    >>> [block] = blocks("So:\\n```python\\nprint(1)\\n```")
    >>> block.label, block.code
    ('python', 'print(1)\\n')

A fence is three or more backticks or tildes on a line of their own, possibly indented or behind the
mark of a list. It closes the block that as many or fewer of the same characters have opened, unless the
code would then end within a string: a docstring may hold fences of its own. A block that is not closed
ends with the text. Blocks of Markdown are looked into.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from typing import NamedTuple

MARKDOWN = ("markdown", "md")
_FENCE = re.compile(
    r"^(?P<indent>[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]+)?)(?P<fence>`{3,}|~{3,})(?P<info>.*)$"
)
_LABEL = re.compile(r"[\w+.-]*")
_OPEN_STRING = re.compile(r"unterminated triple-quoted|EOF while scanning triple-quoted")
# Fences that may stand in one string: each costs a parse.
MOST_WITHIN = 20


class Block(NamedTuple):
    """One block: where it starts in the text, the first word behind its fence, and its code."""

    start: int
    label: str
    code: str


class _Fence(NamedTuple):
    line: int
    indent: str
    fence: str
    info: str

    def closes(self, other: _Fence) -> bool:
        return self.fence.startswith(other.fence)


def blocks(text: str) -> list[Block]:
    """The blocks of a text, in order."""
    return list(_blocks(text, 0))


def _blocks(text: str, offset: int) -> Iterator[Block]:
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    fences = [
        _Fence(number, found["indent"], found["fence"], found["info"].strip())
        for number, line in enumerate(lines)
        if (found := _FENCE.match(line.rstrip("\r"))) and _is_fence(found)
    ]
    at = 0
    while at < len(fences):
        opening = fences[at]
        end = _end(lines, fences, at)
        last = fences[end].line if end < len(fences) else len(lines)
        label = _label(opening.info)
        code = _dedented(lines[opening.line + 1 : last], opening.indent)
        if label in MARKDOWN:
            yield from _blocks(code, offset + starts[opening.line])
        else:
            yield Block(offset + starts[opening.line], label, code)
        # A fence with a label closes one block and opens the next.
        at = end if end < len(fences) and _opens(fences[end]) else end + 1


def _is_fence(found: re.Match[str]) -> bool:
    return "`" not in found["info"] or found["fence"].startswith("~")


def _opens(fence: _Fence) -> bool:
    return bool(fence.info) and len(fence.info.split()) == 1


def _label(info: str) -> str:
    found = _LABEL.match(info.lstrip("{.").lower())
    return found[0] if found else ""


def _end(lines: list[str], fences: list[_Fence], at: int) -> int:
    """Which fence ends the block that `fences[at]` opens; their number where none does."""
    opening = fences[at]
    closing = (n for n in range(at + 1, len(fences)) if fences[n].closes(opening))
    if _label(opening.info) in MARKDOWN:  # its own blocks open and close within
        return next((n for n in closing if not fences[n].info), len(fences))

    def in_string(last: int) -> bool:
        return _ends_in_string(_dedented(lines[opening.line + 1 : last], opening.indent))

    first = len(fences)
    for tried, end in enumerate(closing):
        if not tried:
            first = end
        if tried == MOST_WITHIN:
            return first
        if not in_string(fences[end].line):
            return end
    # All are within a string: the block was cut off behind it, or the string is never closed.
    return first if in_string(len(lines)) else len(fences)


def _ends_in_string(code: str) -> bool:
    if '"""' not in code and "'''" not in code:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except SyntaxError as error:
        return _OPEN_STRING.match(error.msg) is not None
    except (ValueError, RecursionError, MemoryError):
        pass
    return False


def _dedented(lines: list[str], indent: str) -> str:
    """The code of a block; lines lose as much indentation as its fence has."""
    width = len(indent.expandtabs())
    code = "".join(f"{line}\n" for line in lines)
    if not width:
        return code
    taken = "".join(f"{_without(line, width)}\n" for line in lines)
    return textwrap.dedent(taken)


def _without(line: str, width: int) -> str:
    blank = len(line) - len(line.lstrip(" \t"))
    taken = 0
    while taken < blank and len(line[: taken + 1].expandtabs()) <= width:
        taken += 1
    return line[taken:]
