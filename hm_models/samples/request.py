"""The contract between model and task: what a model asks of a request, and what it tells it.

    class MyRequest(Instance, TaskRequest): ...     # a task's own kind of request

`hm-merged` calls `use_prompt_style` once it knows its style, and `take_sample` as samples finish. Any other
model of the harness knows nothing of it and runs such a request by its `arguments`, as any request; and
`hm-merged` asks a request that is not of the contract in turns (`hm_models.prompts.conversation`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch


@dataclasses.dataclass(frozen=True)
class Sample:
    """One sample of a request as a task is told of it; `reused` if it was not generated now."""

    text: str
    reused: bool
    facts: dict[str, Any]


class TokenMeasure(Protocol):
    """Sums over the tokens of a text, made while it is drawn (`hm_metrics.entropy.TokenSums`)."""

    @classmethod
    def of_top(cls, sampled: np.ndarray, top: np.ndarray, vocabulary: int) -> TokenMeasure:
        """From log p [T] of the drawn tokens and [T, k] of the likeliest ones, of `vocabulary` tokens."""

    @staticmethod
    def of_each_token(logits: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The entropies [T] before tokens and their surprisals [T], from logits [T, V] and ids [T]."""

    @classmethod
    def of_steps(cls, entropies: Sequence[float], surprisals: Sequence[float]) -> TokenMeasure:
        """From what `of_each_token` gave, step by step."""

    def facts(self) -> dict[str, float]:
        """The sums by name, as they are kept beside a sample."""


@runtime_checkable
class TaskRequest(Protocol):
    """A request of the harness that keeps to the contract.

    Attributes:
        measure_tokens: what sums up the uncertainty at a sample's tokens; None where nobody asks for it.
    """

    measure_tokens: type[TokenMeasure] | None

    def use_prompt_style(self, style: str, apply_chat_template: Callable[..., Any] | None) -> None:
        """Write the prompt of `style` (`chat` or `completion`) into the arguments.

        Args:
            apply_chat_template: turns -> text, as the harness's models have it; may be None for completion.
        """

    def take_sample(self, index: int, sample: Sample) -> None:
        """Take one of the request's samples as soon as it is there, so that scoring may begin.

        A model may call it for each sample, or never: `resps` alone says what the samples are. It returns
        at once and raises nothing.

        Args:
            index: which of the request's n samples.
        """


def measure_of(request: object) -> type[TokenMeasure] | None:
    """What sums up the tokens of a request's samples; None where nobody asks for it."""
    return request.measure_tokens if isinstance(request, TaskRequest) else None
