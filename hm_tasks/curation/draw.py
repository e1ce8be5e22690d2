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

        def lot(place: int) -> bytes:
            return hashlib.sha256(f"{self.seed} {line} {place}".encode()).digest()

        return set(sorted(range(n), key=lot)[: self.samples])
