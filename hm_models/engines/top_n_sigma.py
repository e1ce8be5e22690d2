"""top-n-sigma: keep the tokens whose logit is at least the largest minus n standard deviations of all.

    >>> logits = torch.tensor([[4.0, 3.0, 0.0, 0.0, 0.0]])
    >>> keep_top_n_sigma(logits, 1.0).isfinite().tolist()
    [[True, True, False, False, False]]

Tang et al. 2024 (arXiv 2411.07641). It is taken of the model's own logits, before penalties, temperature,
top-p and the like: a temperature divides logits and their deviation alike, so that the tokens it keeps are
the same at every temperature. What comes behind it sees the kept tokens alone.
"""

from __future__ import annotations

import torch
from transformers import LogitsProcessor


def keep_top_n_sigma(logits: torch.Tensor, n: torch.Tensor | float) -> torch.Tensor:
    """The logits, and -inf in place of those below the border.

    Args:
        logits: float [rows, vocabulary], in nats. What is -inf already counts for nothing.
        n: how many standard deviations (of a sample: squares over vocabulary - 1), one number or [rows, 1].
    """
    there = logits.isfinite()
    number = there.sum(dim=-1, keepdim=True)
    mean = logits.where(there, 0.0).sum(dim=-1, keepdim=True) / number
    squares = (logits - mean).where(there, 0.0).square().sum(dim=-1, keepdim=True)
    deviation = (squares / (number - 1).clamp(min=1)).sqrt()
    border = logits.amax(dim=-1, keepdim=True) - n * deviation
    return logits.masked_fill(logits < border, -torch.inf)


class TopNSigma(LogitsProcessor):
    """For transformers; it has to stand first."""

    def __init__(self, n: float) -> None:
        self._n = n

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return keep_top_n_sigma(scores, self._n)
