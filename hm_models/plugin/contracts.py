"""What a model or a task of this project may do beyond what the harness's `LM` and `Task` declare.

The harness's own code asks for it (`own_answers`, `introduced`), so it is told by class: nothing that merely
has a method of that name is taken for ours.
"""

from __future__ import annotations

import abc
from pathlib import Path
from typing import TYPE_CHECKING

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
