"""NoveltyBench's reward model as a rater: a reward for a conversation, and where it lies among ten shares.

Source: Zhang et al. 2025, and the facts of their release: Skywork-Reward-Gemma-2-27B-v0.2 in bfloat16, and
nine thresholds, one for each step from a rating of 1 to 10.

    >>> [rating_of(reward) for reward in (-9.0, -6.0, 3.0)]
    [1, 3, 10]
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from hm_metrics.judgment import Judgment
from hm_tasks.novelty_bench.classifier import folder_of, load

NAME = "Skywork/Skywork-Reward-Gemma-2-27B-v0.2"
THRESHOLDS = (-7.71875, -6.28125, -6.0, -5.71875, -5.5, -5.0, -4.375, -3.4375, -2.046875)
REWARD = "reward"  # who decided


def rating_of(reward: float) -> int:
    """1 to 10: one more than the number of thresholds below the reward."""
    return bisect.bisect_left(THRESHOLDS, reward) + 1


class RewardModel:
    """A reward model of a folder or of the hub; nothing is loaded before the first rating."""

    def __init__(self, name: str = NAME) -> None:
        self.name = name

    def identity(self) -> dict[str, Any]:
        """What shapes the ratings, for results."""
        return {"by": REWARD, "model": self.name}

    def rate(self, pairs: Sequence[tuple[str, str]]) -> list[Judgment]:
        """The rating of each (prompt, answer).

        Raises:
            ClassifierError: it cannot be loaded, or breaks down.
        """
        return [Judgment(rating_of(self._reward(*pair)), REWARD) for pair in pairs]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        folder = folder_of(self.name, "weights")
        return load(self.name, folder, folder, dtype="bfloat16", num_labels=1)

    def _reward(self, prompt: str, answer: str) -> float:
        import torch

        tokenizer, model = self._loaded
        turns = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": answer},
        ]
        ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            return float(model(**ids.to(model.device)).logits[0, 0])
