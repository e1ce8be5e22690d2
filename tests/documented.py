"""The commands that pages show: words as a shell would split them, from indented and fenced blocks.

    >>> [c.words for c in commands_in("    X=1 hm-report OUT \\\\\\n      --output_path R   # a page\\n")]
    [['hm-report', 'OUT', '--output_path', 'R']]
    >>> [c.words[0] for c in commands_in("    scripts/setup.sh && lm_eval ls tasks | grep passk\\n")]
    ['scripts/setup.sh', 'lm_eval']

`...` stands for what a reader fills in, and is left out.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator
from itertools import groupby

OURS = re.compile(r"lm[_-]eval|hm-[a-z-]+|(scripts|docs)/[\w/]+\.sh|python")
ENDS = {"&&", "||", "|", ";", ">", ">>", "2>", "<"}


@dataclasses.dataclass(frozen=True)
class Shown:
    """A command of a page: its words, and the number of its first line."""

    line: int
    words: list[str]


def commands_in(page: str) -> Iterator[Shown]:
    """All commands of ours on a page, in order."""
    lines, at = page.splitlines(), 0
    while at < len(lines):
        text, first = lines[at], at
        at += 1
        if not re.match(r"    [^\s|]", text) or not OURS.search(text):  # | begins a table
            continue
        while (words := _words(text)) is None and at < len(lines):
            text = f"{text}\n{lines[at]}"
            at += 1
        for is_end, part in groupby(words or [], lambda word: word in ENDS):
            command = [] if is_end else _command(list(part))
            if command and OURS.fullmatch(command[0]):
                yield Shown(first + 1, command)


def _words(text: str) -> list[str] | None:
    """None where the text is not whole: a quote is open, or its last line ends with a backslash."""
    if text.endswith("\\"):
        return None
    try:
        whole = text.replace("\\\n", " ")
        lexer = shlex.shlex(whole, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        return list(lexer)
    except ValueError:
        return None


def _command(words: list[str]) -> list[str]:
    while (words and re.match(r"[A-Z_]+=", words[0])) or words[:1] in (
        ["export"],
        ["srun"],
        ["nohup"],
    ):
        words = words[1:]
    return [word for word in words if word != "..."]
