"""The program of a model's answer, and the thought before it."""

from __future__ import annotations

from hm_tasks.curation.markers import split
from hm_tasks.execution.extract import extract_program


def program_of(text: str, entry_point: str) -> tuple[str, str]:
    """(program, reasoning); either may be empty."""
    if form := split(text):
        reasoning, program = form
        return program, reasoning
    return extract_program(text.replace("\t", "    "), entry_point), ""
