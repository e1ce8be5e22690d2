"""The program of a trace, and the reasoning that leads to it.

    >>> program_of("Add one.\\n```python\\ndef f(x):\\n    return x + 1\\n```", "f")
    ('def f(x):\\n    return x + 1', 'Add one.')

It is read from behind the thoughts of a text (`hm_models.samples.thoughts`), in this order: the solution
between the markers of a training text (`hm_tasks.traces.markers`); a fenced block of Python; the
longest stretch of Python, as evalplus finds it. Nothing is taken out of a fenced block or a marked
solution, unlike in the pass@k tasks, where evalplus's sanitizer is the protocol: a program that reads
standard input is more than its definitions.
"""

from __future__ import annotations

import ast
import re
import warnings

from hm_models.samples.thoughts import answer_span, thought_in
from hm_tasks.sandbox.extract import extract_program, longest_stretch
from hm_tasks.traces.fences import Block, blocks
from hm_tasks.traces.markers import BEGIN_SOLUTION, BEGIN_THOUGHT, END_SOLUTION, END_THOUGHT

PYTHON = ("python", "python3", "py")
_UNQUOTED = r"(?<![\"'`]){}(?![\"'`])"  # a marker within a string of the program marks nothing
_BEGINS = re.compile(_UNQUOTED.format(BEGIN_SOLUTION))
_ENDS = re.compile(_UNQUOTED.format(END_SOLUTION))


def program_of(text: str, entry_point: str) -> tuple[str, str]:
    """The program of a text, empty where it has none, and what stands before it.

    A text that ends within a thought has none, whatever drafts there are in it.

    Args:
        entry_point: the function that was asked for; empty where the program reads standard input. Of
            several fenced blocks of Python the last that defines it is taken, else the last.
    """
    span = answer_span(text)
    if span is None:
        return "", _thought(text)
    before, answer = text[: span[0]], text[slice(*span)]
    if marks := list(_BEGINS.finditer(answer)):
        solution = _ENDS.split(answer[marks[-1].end() :])[0]
        block = _block(solution, entry_point)
        program = block.code if block else solution
        return _trimmed(program), _thought(before or answer[: marks[-1].start()])
    if block := _block(answer, entry_point):
        return _trimmed(block.code), _reasoning(before, answer[: block.start])
    program = _trimmed(_unmarked(answer, entry_point))
    first = program.split("\n", 1)[0]
    return program, _reasoning(before, answer[: answer.find(first)] if program else answer)


def _block(text: str, entry_point: str) -> Block | None:
    """The block of Python that is taken; an unlabelled one must be a program."""
    labelled, programs = [], []
    for block in blocks(text):
        if block.label and block.label not in PYTHON:
            continue
        if block.label:
            labelled.append(block)
        if _is_program(block.code, entry_point) or (block.label and not entry_point):
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
    """The reasoning in the form of a training text; else all that was thought."""
    if END_THOUGHT in text or BEGIN_THOUGHT in text:
        return text.split(END_THOUGHT)[0].rpartition(BEGIN_THOUGHT)[2].strip()
    return thought_in(text)


def _reasoning(before: str, words: str) -> str:
    """The thoughts, and the words between them and the program."""
    return "\n\n".join(part for part in (_thought(before), words.strip()) if part)
