"""What gives an opened checkpoint's tensors, however they come to be.

`MappedCheckpoint` views the files; what computes its tensors hands out lazy ones of the same shape and dtype.
"""

from __future__ import annotations

from typing import Protocol

import torch

from hm_models.checkpoints.checkpoint import Checkpoint


class TensorSource(Protocol):
    """The tensors of one checkpoint by name."""

    @property
    def checkpoint(self) -> Checkpoint: ...

    def __call__(self, name: str) -> torch.Tensor:
        """The CPU tensor, in the shape and dtype of its header; nobody may write to it."""
        ...

    def prefetch(self, name: str) -> None:
        """Read what the tensor needs now; releases the interpreter lock meanwhile."""
        ...

    def drop(self, name: str) -> None:
        """Give back what was read for the tensor, which may be asked for again."""
        ...
