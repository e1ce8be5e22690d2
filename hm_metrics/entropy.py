"""How uncertain a model was at the tokens of a text: entropy and surprisal, in nats.

At each position the model gives a distribution p over the vocabulary, at temperature 1 and whole,
whatever the text was sampled with. Its entropy is H = -sum p log p; the surprisal of the token that
stands there is -log p(token). From logits H is exact. From the top k log-probabilities, which vLLM
returns, it lies between two bounds: the rest of the mass m is on V - k tokens, none more probable than
the k-th.

    >>> top = np.log([[0.9, 0.05], [0.5, 0.5]])  # the two largest probabilities at two positions
    >>> sums = TokenSums.of_top(sampled=np.log([0.9, 0.5]), top=top, vocabulary=100)
    >>> sums.entropy_low, sums.entropy_high  # the second position has no mass left, so log 2
    (1.08..., 1.31...)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclasses.dataclass(frozen=True)
class TokenSums:
    """Sums over the tokens of one or several texts.

    Attributes:
        tokens: how many.
        surprisal: sum of -log p(token).
        entropy_low, entropy_high: bounds of the sum of entropies; equal where it is exact.
    """

    tokens: int
    surprisal: float
    entropy_low: float
    entropy_high: float

    @property
    def entropy(self) -> float:
        """The middle of the bounds: wrong by at most half their distance."""
        return (self.entropy_low + self.entropy_high) / 2

    @classmethod
    def of_logits(cls, logits: torch.Tensor, ids: torch.Tensor) -> TokenSums:
        """Exact, from the model's own logits.

        Args:
            logits: [T, V] on any device; row t is what the model gave before token t.
            ids: [T] the tokens that stand there.
        """
        entropies, surprisals = cls.of_each_token(logits, ids)
        entropy = float(entropies.double().sum())
        return cls(len(ids), float(surprisals.double().sum()), entropy, entropy)

    @classmethod
    def of_top(cls, sampled: np.ndarray, top: np.ndarray, vocabulary: int) -> TokenSums:
        """Bounds, from the sampled tokens' log-probabilities and the k largest at each position.

        Args:
            sampled: [T] log p of the token that stands there.
            top: [T, k] the largest log-probabilities, in any order, at temperature 1.
            vocabulary: V, the number of tokens.
        """
        low, high = entropy_bounds(top, vocabulary)
        return cls(len(sampled), -float(np.sum(sampled)), float(low.sum()), float(high.sum()))

    @classmethod
    def of_steps(cls, entropies: Sequence[float], surprisals: Sequence[float]) -> TokenSums:
        """Exact, from what `of_each_token` gave as the tokens were drawn."""
        entropy = float(np.sum(entropies))
        return cls(len(entropies), float(np.sum(surprisals)), entropy, entropy)

    @staticmethod
    def of_each_token(logits: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Entropy [T] before each token and its surprisal [T], float32 on the logits' device.

        Arguments as for `of_logits`; the tokens may be of different texts.
        """
        logits = logits.float()
        log_p = logits - logits.logsumexp(dim=-1, keepdim=True)
        entropies = -(log_p.exp() * log_p.nan_to_num(neginf=0.0)).sum(dim=-1)
        return entropies, -log_p.gather(-1, ids.to(log_p.device)[:, None])[:, 0]

    def facts(self) -> dict[str, float]:
        """The sums as they are kept beside a sample."""
        return dataclasses.asdict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> TokenSums | None:
        """What `facts` gave; None where a sample was made without."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(facts[name] for name in names)) if set(names) <= set(facts) else None

    @classmethod
    def total(cls, parts: Iterable[TokenSums]) -> TokenSums:
        """The sums over the tokens of all parts."""
        sums = np.zeros(4)
        for part in parts:
            sums += dataclasses.astuple(part)
        return cls(int(sums[0]), *map(float, sums[1:]))


def entropy_bounds(top: np.ndarray, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """[T] lower and upper bound of the entropy of distributions of which the top k are known.

    The k largest give -sum p log p; the mass m that is left adds least when it is as concentrated as it
    may be (tokens of the k-th probability), and most when it is spread evenly over the other V - k.

    Args:
        top: [T, k] the k largest log-probabilities.
        vocabulary: V.

    Raises:
        ValueError: more log-probabilities than tokens.
    """
    top = np.asarray(top, dtype=np.float64)
    rest = vocabulary - top.shape[1]
    if rest < 0:
        raise ValueError(f"{top.shape[1]} log-probabilities of {vocabulary} tokens.")
    p = np.exp(top)
    known = -np.where(p > 0, p * np.where(p > 0, top, 0.0), 0.0).sum(axis=1)
    # Rounding may leave a mass of -1e-7 where there is none.
    mass = np.clip(1.0 - p.sum(axis=1), 0.0, 1.0) if rest else np.zeros(len(top))
    mass = np.minimum(mass, rest * p.min(axis=1))
    some = mass > 0
    log_mass = np.log(mass, out=np.zeros_like(mass), where=some)
    largest = np.minimum(top.min(axis=1), log_mass, out=np.zeros_like(mass), where=some)
    least = np.where(some, -mass * largest, 0.0)
    most = np.where(some, mass * (np.log(max(rest, 1)) - log_mass), 0.0)
    return known + np.minimum(least, most), known + most
