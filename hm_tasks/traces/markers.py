"""The form of a training text: a thought and a solution, each between two markers.

    >>> text = join("Sort, then take the last.", "def f(xs):\\n    return sorted(xs)[-1]")
    >>> split(text)
    ('Sort, then take the last.', 'def f(xs):\\n    return sorted(xs)[-1]')

Source of the markers: the format into which the authors of hindsight merging convert their traces.
"""

from __future__ import annotations

import re

from hm_models.samples.thoughts import FORM, FORM_ANSWER

MARKERS = BEGIN_THOUGHT, END_THOUGHT, BEGIN_SOLUTION, END_SOLUTION = (*FORM, *FORM_ANSWER)
_FORM = re.compile(r"\s*{}(.*){}\s*{}(.*){}\s*".format(*MARKERS), re.DOTALL)
_FENCED = re.compile(r"```[^\n`]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_BLANK_LINES_BEFORE = re.compile(r"\A(?:[^\S\n]*\n)+")


def join(reasoning: str, program: str) -> str:
    """The canonical text; white space around both, but for the program's first indentation, is dropped.

    Raises:
        ValueError: a marker inside one of them, which no reader could tell from those around it.
    """
    for name, part in (("reasoning", reasoning), ("program", program)):
        if inside := markers_in(part):
            raise ValueError(
                f"The {name} contains {inside[0]}, which marks the form itself. Leave this sample out."
            )
    return "\n".join(
        (
            *(BEGIN_THOUGHT, reasoning.strip(), END_THOUGHT),
            *(BEGIN_SOLUTION, "```python", _trimmed(program), "```", END_SOLUTION),
        )
    )


def split(text: str) -> tuple[str, str] | None:
    """(reasoning, program) of a text in this form; either may be empty.

    White space may differ from the canonical text's and the fence may be missing; where there is one,
    the program is what stands between its first and its last line.

    Returns:
        None where a marker is missing, repeated or out of place, or where there are words outside them.
    """
    if tuple(markers_in(text)) != MARKERS or (form := _FORM.fullmatch(text)) is None:
        return None
    reasoning, solution = form.groups()
    fenced = _FENCED.fullmatch(solution.strip())
    return reasoning.strip(), _trimmed(fenced[1] if fenced else solution)


def markers_in(text: str) -> list[str]:
    """The markers that a text contains, as often as it does, in their order there."""
    return re.findall("|".join(MARKERS), text)


def _trimmed(program: str) -> str:
    return _BLANK_LINES_BEFORE.sub("", program.rstrip())
