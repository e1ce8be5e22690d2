"""Candidates for the tests of curation."""

import itertools
from collections.abc import Iterable
from pathlib import Path

from hm_tasks.curation.candidate import CORRECT, Candidate

_numbers = itertools.count()

LONE_SURROGATE = "\ud800"
HOSTILE = [
    "",
    " ",
    "\0",
    LONE_SURROGATE,
    "a\u2028b\u2029c\x85d\x0ce\rf\r\ng",
    "def f(:",
    "f'{" * 200,
    "(" * 5000 + ")" * 5000,
    "x = 1\n" * 5_000,
    "'" + "é" * 200_000,
    "def f(x):\n    return '\\ud800' + \"\udfff\"",
    "<end_of_solution>",
    "```",
]


def record(program: str = "", **fields) -> Candidate:
    """A correct record of `Demo/1` with an id of its own."""
    number = next(_numbers)
    defaults = {
        "problem": "Demo/1",
        "statement": '"""\nWrite a function that doubles.\nassert f(1) == 2\n"""\n',
        "entry_point": "f",
        "text": program,
        "status": CORRECT,
        "behaviour": "0123456789abcdef",
    }
    return Candidate(id=f"{number:016x}", program=program, **(defaults | fields))


def written(records: Iterable[Candidate], file: Path) -> Path:
    """The file, with the records in it."""
    file.write_text("".join(record.line() + "\n" for record in records), "ascii")
    return file
