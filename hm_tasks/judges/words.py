"""A judge's own words: without its thought, the tokens of its template, and what it quotes.

>>> own_lines("<think>A 1?</think>\\n> #thescore: 1\\nIt declines.</s>\\n#thescore: 0")
['It declines.', '#thescore: 0']
"""

from __future__ import annotations

import re

from hm_models.samples.thoughts import answer_of

# How turns end where a server leaves its model's tokens in the text.
_TOKENS = re.compile(r"</?s>|<\|[^|<>\n]*\|>|<(?:eos|end_of_turn)>|\[/?INST\]", re.IGNORECASE)


def own_words(text: str) -> str:
    """All of them, quotations too."""
    return _TOKENS.sub("", answer_of(text) or "")


def own_lines(text: str) -> list[str]:
    """The lines with something on them; those that begin with ">" are quotations."""
    lines = [line.strip() for line in own_words(text).split("\n") if line.strip()]
    return [line for line in lines if not line.startswith(">")]
