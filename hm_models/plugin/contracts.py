"""What a model, a task or an aggregation may do beyond what the harness's own classes declare.

The harness's code asks for it (`own_answers`, `introduced`, `standard_errors`). Models and tasks are told by
class: no other project's that merely has a method of that name is taken for ours. An aggregation may be
anybody's.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from lm_eval.api.model import LM


class KeepsAnswers(abc.ABC):
    """A model that keeps its answers itself, by more than the harness's cache tells apart."""

    @abc.abstractmethod
    def keep_samples_in(self, file: Path) -> None:
        """Keep them in this file from now on."""


class MeetsModel(abc.ABC):
    """A task that wants to know who is asked, before requests are built."""

    @abc.abstractmethod
    def meet(self, model: LM) -> None:
        """Know the model that is asked next."""


class StylesPrompts(abc.ABC):
    """A model that writes the prompts of requests (`hm_models.samples.request`) in a style of its own."""

    @property
    @abc.abstractmethod
    def prompt_style(self) -> str:
        """`chat` or `completion`, as it asks next."""


class DrawsModels(abc.ABC):
    """A model that may draw which of two models writes, beside the tokens."""

    @property
    @abc.abstractmethod
    def draws_when_greedy(self) -> bool:
        """Whether greedy answers to one prompt differ, as it is drawn which of two models writes."""


class Verbalizes(abc.ABC):
    """A task that may ask for several samples in one call: `verbalized` of its metadata."""

    @property
    @abc.abstractmethod
    def answers_a_call(self) -> int:
        """1 where a call is a sample."""


@runtime_checkable
class OwnError(Protocol):
    """An aggregation that knows the standard error of its value."""

    def stderr(self, items: Sequence[Any], iterations: int) -> float | str:
        """Of these items, one for each question; with at most so many resamples, where it resamples."""
        ...
