"""Programs out of a model's texts, in limited time and memory.

Python's parser takes exponential time for some texts of a few kilobytes, so the texts are looked into
in a fork (`hm_tasks.sandbox.judging.limited`). A text that is too much for it holds no program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hm_tasks.sandbox.extract import extract_program
from hm_tasks.sandbox.judging.limited import BeyondLimits, LimitedFork

# For one text: seconds, and more for each MiB; bytes of memory, and more for each byte.
SECONDS, SECONDS_PER_MIB = 10.0, 60.0
MEMORY, MEMORY_PER_BYTE = 1 << 29, 4096


@dataclasses.dataclass(frozen=True)
class TooMuch:
    """Stands for the program of a text in which looking for one goes beyond the limits."""

    reason: str


def extract_programs(texts: Sequence[str], entry_point: str) -> list[str | TooMuch]:
    """Return the program in each text, as `extract_program` does, or why there is none."""
    import evalplus.sanitize  # noqa: F401 - here, where all forks have it

    found: list[str | TooMuch] = []
    fork: LimitedFork | None = None
    try:
        for text in texts:
            fork = fork or LimitedFork(lambda one: extract_program(one, entry_point))
            seconds = SECONDS + SECONDS_PER_MIB * len(text) / (1 << 20)
            try:
                found.append(fork.ask(text, seconds, MEMORY + MEMORY_PER_BYTE * len(text)))
            except BeyondLimits as error:
                reason = f"no program in the text: looking for one takes too much {error}"
                found.append(TooMuch(reason))
                fork.close()
                fork = None
    finally:
        if fork is not None:
            fork.close()
    return found
