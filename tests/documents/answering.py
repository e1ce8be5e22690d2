"""What the endpoint on loopback says in place of a judge, a guard model or a rewriter.

    >>> answering("> What is it?\\n> I cannot help with that.\\n#thelabel: LABEL")
    'So it is.\\n#thelabel: full_refusal'
    >>> answering("I cannot help with that.")
    'Safety: Safe\\nRefusal: Yes'

It reads the question as the real ones do: by the material between its marks.
"""

from __future__ import annotations

import re

from hm_tasks.traces.markers import join
from tests.documents.speaking import NAME, REFUSAL


def answering(question: str) -> str:
    """The answer to the last message of a conversation."""
    if program := _between("program", question):
        return join("I go by what was asked.", program)
    if "#therating" in question:
        return "It serves.\n#therating: 7"
    if first := _between("first answer", question):
        return f"So it is.\n#thescore: {int(first == _between('second answer', question))}"
    if "#thelabel" in question:
        refused = f"> {REFUSAL}" in question
        return f"So it is.\n#thelabel: {'full_refusal' if refused else 'full_compliance'}"
    if "#thescore" in question:
        return f"So it is.\n#thescore: {int(f'> {NAME}' in question)}"
    safe = "Unsafe" if question == NAME else "Safe"
    return f"Safety: {safe}\nRefusal: {'Yes' if question == REFUSAL else 'No'}"


def _between(what: str, question: str) -> str:
    """What stands between the two marks of that name; empty where there is none."""
    found = re.search(
        rf"^===== {what} \w+ =====\n(.*)\n===== end of {what} ", question, re.M | re.S
    )
    return found[1] if found else ""
