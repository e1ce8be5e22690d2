r"""Words for the screen: any text on any terminal, in any locale.

    >>> say("Llama: pass@10 is 0.512\x1b[2J")
    Llama: pass@10 is 0.512\x1b[2J

A terminal in ISO-8859-1 cannot write an arrow, and a name out of somebody's results file may hold
sequences that move the cursor. Both are written as escapes.
"""

from __future__ import annotations

import sys
import unicodedata
from typing import TextIO

# Cc: control characters, Cf: among others those that turn the direction of writing, Cs: half pairs.
_UNSAFE = {"Cc", "Cf", "Cs"}
_KEPT = "\n\t"


def say(text: object, to: TextIO | None = None) -> None:
    """Print to stdout, or to another stream."""
    stream = to or sys.stdout
    encoding = stream.encoding or "utf-8"
    shown = printable(str(text)).encode(encoding, "backslashreplace").decode(encoding)
    print(shown, file=stream, flush=True)


def bar_settings(quiet: bool) -> dict[str, bool]:
    """Arguments of tqdm: no bar where quiet; else whatever its own variable `TQDM_DISABLE` says."""
    return {"disable": True} if quiet else {}


def printable(text: str) -> str:
    """The text with escapes for what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in _UNSAFE and letter not in _KEPT
        else letter
        for letter in text
    )
