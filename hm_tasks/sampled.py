"""How many samples a task asks for, and how those of one question came about.

>>> n_and_ks({"n_samples": 11, "k": [10, 1, 5]})
(11, [1, 5, 10])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from hm_metrics.aggregations import Mean
from hm_metrics.definitions import (
    STATED_PROBABILITY,
    TOKENS,
    UNFINISHED,
    VERBALIZED_CALLS,
    VERBALIZED_SURPLUS,
    VERBALIZED_UNREAD,
)
from hm_metrics.entropy import TokenSums
from hm_models.settings import ProtocolError, whole_number
from hm_tasks import copies
from hm_tasks.answered import ToldRequest
from hm_tasks.verbalized import Call


def _all(of_questions: Sequence[list[Any]]) -> int:
    return sum(map(len, of_questions))


# What becomes of `Sampled.of_calls` over questions.
OF_CALLS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys((TOKENS, STATED_PROBABILITY), Mean()),
    **dict.fromkeys((VERBALIZED_UNREAD, VERBALIZED_SURPLUS), sum),
    VERBALIZED_CALLS: _all,
}


@dataclasses.dataclass(frozen=True)
class Sampled:
    """How one question's samples came about, and how many of them say nothing.

    Attributes:
        generated_tokens: of all calls; None where the model has not told those of each.
        calls: where a call makes several samples.
        unread: samples that their calls did not give.
    """

    reused: int = 0
    truncated_prompts: int = 0
    equal: int = 0
    unfinished: int = 0
    tokens: tuple[TokenSums, ...] = ()
    generated_tokens: int | None = None
    calls: tuple[Call, ...] = ()
    unread: int = 0

    @classmethod
    def of(cls, request: ToldRequest) -> Sampled:
        """Of a request whose samples are there, its calls taken apart."""
        calls = len(request.calls) or len(request.resps)
        return cls(
            sum(reused * request.share(call) for call, reused in request.reused.items()),
            request.cut_prompts,
            copies.count(request.said),
            request.answers().count(None),
            tuple(request.token_sums.values()),
            sum(request.tokens.values()) if len(request.tokens) == calls else None,
            tuple(request.calls),
            len(request.unread),
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

    def of_calls(self, n: int) -> dict[str, Any]:
        """What calls cost and gave of a question with n samples, by the names of results.

        The tokens of a call are shared by all samples that it was to make, also those that it did not.
        """
        spent = self.generated_tokens
        found: dict[str, Any] = {} if spent is None else {TOKENS: spent / n}
        if self.calls:
            stated = [p for call in self.calls for p in call.probabilities if p is not None]
            found |= {
                VERBALIZED_UNREAD: self.unread,
                VERBALIZED_SURPLUS: sum(call.surplus for call in self.calls),
                STATED_PROBABILITY: sum(stated) / len(stated) if stated else None,
                VERBALIZED_CALLS: [dataclasses.asdict(call) for call in self.calls],
            }
        return found


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
