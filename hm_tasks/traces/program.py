"""The program of a trace, and the reasoning that leads to it.

    program, reasoning = program_of("Add one.\\n```python\\ndef f(x):\\n    return x + 1\\n```", "f")

In this order: the solution between the markers of a training text (`hm_tasks.curation.markers`); a
fenced block of Python; the longest stretch of Python, as evalplus finds it. Nothing is taken out of a
fenced block or a marked solution, unlike in the pass@k tasks, where evalplus's sanitizer is the
protocol: a program that reads standard input is more than its definitions.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings

from hm_tasks.curation.markers import BEGIN_SOLUTION, BEGIN_THOUGHT, END_SOLUTION, END_THOUGHT
from hm_tasks.execution.extract import extract_program, longest_stretch

PYTHON = ("python", "python3", "py")
# An answer that was cut off may not close its last fence.
_FENCED = re.compile(
    r"^(?P<indent>[ \t]*)```[ \t]*(?P<label>[\w+.-]*)[^\n`]*\n(?P<code>.*?)(?:^[ \t]*```|\Z)",
    re.MULTILINE | re.DOTALL,
)


def program_of(text: str, entry_point: str) -> tuple[str, str]:
    """The program of a text, empty where it has none, and what stands before it.

    Args:
        entry_point: the function that was asked for; empty where the program reads standard input. Of
            several fenced blocks of Python the last that defines it is taken, else the last.
    """
    before, marker, solution = text.rpartition(BEGIN_SOLUTION)
    if marker:
        solution = solution.split(END_SOLUTION)[0]
        block = _block(solution, entry_point)
        return _trimmed(block[0] if block else solution), _thought(before)
    if block := _block(text, entry_point):
        code, start = block
        return _trimmed(code), _thought(text[:start])
    program = _trimmed(_unmarked(text, entry_point))
    first = program.split("\n", 1)[0]
    return program, _thought(text[: text.find(first)] if program else text)


def _block(text: str, entry_point: str) -> tuple[str, int] | None:
    """The block of Python that is taken, and where it starts; an unlabelled one must be a program."""
    labelled, programs = [], []
    for fence in _FENCED.finditer(text):
        label, code = fence["label"].lower(), fence["code"]
        if label and label not in PYTHON:
            continue
        block = (textwrap.dedent(code) if fence["indent"] else code), fence.start()
        if label:
            labelled.append(block)
        if _is_program(block[0], entry_point) or (label and not entry_point):
            programs.append(block)
    found = programs or labelled
    return found[-1] if found else None


def _unmarked(text: str, entry_point: str) -> str:
    try:
        program = extract_program(text, entry_point) if entry_point else longest_stretch(text)
    except (ValueError, RecursionError, MemoryError):  # as in `extract_program`
        return ""
    # evalplus gives words where there is no code.
    return program if _is_program(program, entry_point) else ""


def _is_program(code: str, entry_point: str) -> bool:
    """Whether it defines what is asked for; or, as a whole, parses and calls something."""
    if entry_point:
        name = re.escape(entry_point)
        return re.search(rf"^(?:(?:async )?def|class) +{name}\b|^{name} *=", code, re.M) is not None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as escapes that a future Python refuses
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.Call) for node in ast.walk(tree))


def _trimmed(program: str) -> str:
    return program.strip("\n").rstrip()


def _thought(text: str) -> str:
    return text.split(END_THOUGHT)[0].rpartition(BEGIN_THOUGHT)[2].strip()
