"""Which of a question's samples are drawn, by a seed.

>>> Draw(samples=2, seed=0).places("a line", 5)
{0, 2}
>>> Draw(samples=9, seed=0).places("a line", 2)
{0, 1}
"""

from __future__ import annotations

import dataclasses
import hashlib


@dataclasses.dataclass(frozen=True)
class Draw:
    """So many samples of each question, without repetition."""

    samples: int
    seed: int

    def places(self, line: str, n: int) -> set[int]:
        """Of n samples; all where there are no more than that.

        Args:
            line: names the line that they are from.
        """
        drawn = sorted(range(n), key=lambda place: lot(self.seed, f"{line} {place}"))
        return set(drawn[: self.samples])


def lot(seed: int, name: str) -> bytes:
    """A random place in a line, the same in every run and for every order of the records."""
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
