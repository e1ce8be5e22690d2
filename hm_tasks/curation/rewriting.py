"""Is a rewriter's answer in the form, and is the program in it still the sample's own?

    >>> from hm_tasks.traces.markers import join
    >>> read(join("Double it.", "def f(x):  # twice\\n    return 2 * x"), "def f(x): return 2 * x").kind
    'rewritten'
    >>> read("def f(x): return 2 * x", "def f(x): return 2 * x").kind
    'markers missing'

Unaltered means: the same syntax tree, names and constants included, so that comments and layout are
free; where a program does not parse, the same lines up to white space at their ends.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import warnings

from hm_models.samples.thoughts import NATIVE_ENDS
from hm_tasks.traces.markers import BEGIN_THOUGHT, MARKERS, markers_in, split

REWRITTEN = "rewritten"
# Faults of an answer that another try may not have.
FAULTS = (
    MISSING,
    REPEATED,
    DISORDERED,
    OUTSIDE,
    EMPTY_THOUGHT,
    DROPPED,
    ALTERED,
) = (
    "markers missing",
    "markers repeated",
    "markers out of order",
    "text outside the markers",
    "empty thought",
    "program dropped",
    "program altered",
)
# Reasoning models that are served without a parser put their own thinking first.
_OWN_THINKING = re.compile(rf"(?s:.*?)(?:{NATIVE_ENDS})\s*(?={BEGIN_THOUGHT})")


@dataclasses.dataclass(frozen=True)
class Rewriting:
    """What became of one sample.

    Attributes:
        kind: REWRITTEN, one of FAULTS, or what else is counted.
        reasoning: the thought, where it was rewritten.
        words: the answer, or the failure's reason, where it was not.
    """

    kind: str
    reasoning: str = ""
    words: str = ""


def read(answer: str, program: str) -> Rewriting:
    """Read a rewriter's answer to a sample with this program."""
    if thinking := _OWN_THINKING.match(answer):
        answer = answer[thinking.end() :]
    parts = split(answer)
    if parts is None:
        return Rewriting(_fault_of_form(answer), words=answer)
    reasoning, copy = parts
    if not re.search(r"\w", reasoning):
        return Rewriting(EMPTY_THOUGHT, words=answer)
    if not copy:
        return Rewriting(DROPPED, words=answer)
    if not is_unaltered(copy, program):
        return Rewriting(ALTERED, words=answer)
    return Rewriting(REWRITTEN, reasoning)


def is_unaltered(copy: str, program: str) -> bool:
    """Whether a copy says what the program says."""
    tree = _tree(program)
    return _tree(copy) == tree if tree is not None else _lines(copy) == _lines(program)


def _fault_of_form(answer: str) -> str:
    found = markers_in(answer)
    if set(found) != set(MARKERS):
        return MISSING
    if len(found) > len(MARKERS):
        return REPEATED
    return OUTSIDE if tuple(found) == MARKERS else DISORDERED


def _lines(program: str) -> list[str]:
    return [line.rstrip() for line in program.strip().split("\n")]


def _tree(program: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as escapes that a future Python refuses
            return ast.dump(ast.parse(program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
