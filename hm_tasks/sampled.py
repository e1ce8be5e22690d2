"""How many samples a task asks for, and how those of one question came about.

>>> n_and_ks({"n_samples": 11, "k": [10, 1, 5]})
(11, [1, 5, 10])
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hm_metrics.definitions import UNFINISHED
from hm_metrics.entropy import TokenSums
from hm_models.settings import ProtocolError, whole_number
from hm_tasks import copies
from hm_tasks.answered import ToldRequest


@dataclasses.dataclass(frozen=True)
class Sampled:
    """How one question's samples came about, and how many of them say nothing."""

    reused: int = 0
    truncated_prompts: int = 0
    equal: int = 0
    unfinished: int = 0
    tokens: tuple[TokenSums, ...] = ()

    @classmethod
    def of(cls, request: ToldRequest) -> Sampled:
        """Of a request whose samples are there."""
        return cls(
            sum(request.reused.values()),
            request.cut_prompts,
            copies.count(request.resps),
            request.answers().count(None),
            tuple(request.token_sums.values()),
        )

    def counts(self, n: int) -> dict[str, int]:
        """The counts of a question with n samples, by the names of results."""
        unfinished = {UNFINISHED: self.unfinished} if self.unfinished else {}
        return unfinished | {
            "n_samples": n,
            "generated": n - self.reused,
            "reused": self.reused,
            "truncated_prompts": self.truncated_prompts,
            "equal_samples": self.equal,
        }


def n_and_ks(metadata: dict[str, Any]) -> tuple[int, list[int]]:
    """The number of samples, and the k of pass@k in order.

    Raises:
        ProtocolError: they cannot be.
    """
    n_samples, ks = whole_number(metadata, "n_samples"), metadata["k"]
    ks = [ks] if isinstance(ks, int) else ks
    if (
        not isinstance(ks, (list, tuple))
        or not ks
        or not all(isinstance(k, int) and not isinstance(k, bool) and k >= 1 for k in ks)
    ):
        raise ProtocolError(f"k={ks!r}: expected a list of whole numbers above 0, as [1, 5, 10].")
    if max(ks) > n_samples:
        raise ProtocolError(
            f"pass@{max(ks)} cannot be estimated from n_samples={n_samples}. Ask for at least "
            f"{max(ks)} samples, or leave that k out: --metadata "
            f'\'{{"n_samples": {max(ks)}, "k": {list(ks)}}}\'.'
        )
    return n_samples, sorted(set(ks))
