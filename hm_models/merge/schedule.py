"""Which of two models writes each token of an answer (`merge_method=switch`): the rule, and its state.

    >>> state = ScheduleState(Schedule.of({"every": 2}), decode=str, seeds=[1])
    >>> prompt, first, second = torch.tensor([[5, 6]]), torch.tensor([[7]]), torch.tensor([[8]])
    >>> state.sides(prompt), state.sides(torch.cat([prompt, first, second], dim=1))  # one a row
    ([0], [1])

One model writes a stretch of tokens, then the other one the next stretch. A row follows its own tokens
alone: what else is in its batch changes nothing.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from hm_models.errors import RecipeError
from hm_models.merge.alpha import parse_alpha

RULES = ("every", "at", "probability")
SENTENCE = "sentence"
# A mark with a blank behind it, or the end of a line that has something in it. "3.14", "np.zeros"
# and empty lines end no sentence.
SENTENCE_END = re.compile(r"[.?!] |\S\s*\n")
NO_SCORES = (
    "merge_method=switch says nothing of a text that is given: which of its two models writes a token is "
    "decided only while a text is generated. Use tasks that generate, or merge_method=mix, which gives every "
    "text a probability."
)
EXAMPLES = '{"every": 16}, {"at": "sentence"} or {"probability": 0.1}'


@dataclasses.dataclass(frozen=True)
class Schedule:
    """When the other model goes on, and which two they are; exactly one of the three rules is set.

    Attributes:
        alphas: the two models as merges of the pair, the one that begins first.
        every: a stretch is so many tokens.
        at: `sentence`: a stretch ends with the token that completes a sentence in its text.
        probability: a stretch ends after each token with this probability.
    """

    alphas: tuple[float, float] = (0.0, 1.0)
    every: int | None = None
    at: str | None = None
    probability: float | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Schedule:
        """Read `merge_params`. Raises RecipeError, with a sentence that says what was expected."""
        known = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(map(str, given.keys() - set(known))):
            raise RecipeError(
                f"merge_params: switch has no parameter {', '.join(map(repr, unknown))}. It has: "
                f"{', '.join(known)}."
            )
        rules = [name for name in RULES if name in given]
        if len(rules) != 1:
            raise RecipeError(
                "merge_method=switch takes one rule for when the other model goes on, and merge_params has "
                f"{' and '.join(rules) or 'none'}. Give one of {EXAMPLES}."
            )
        checked = {rule: _CHECKS[rule](given[rule]) for rule in rules}
        if "alphas" in given:
            checked["alphas"] = _alphas(given["alphas"])
        return cls(**checked)

    def to_params(self) -> dict[str, Any]:
        """The rule as `merge_params` in full, as plain JSON values."""
        (rule,) = (name for name in RULES if getattr(self, name) is not None)
        return {"alphas": list(self.alphas), rule: getattr(self, rule)}

    @property
    def is_random(self) -> bool:
        return self.probability is not None

    def is_over(
        self, stretch: list[int], decode: Callable[[list[int]], str], draws: random.Random
    ) -> bool:
        """Whether a stretch is over with the last of its tokens."""
        if self.every is not None:
            return len(stretch) == self.every
        if self.at is not None:
            return SENTENCE_END.search(decode(stretch)) is not None
        return draws.random() < (self.probability or 0.0)


def _every(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RecipeError(
            f"merge_params: every={value!r}: expected a whole number of tokens, 1 or more, for "
            'example {"every": 16}.'
        )
    return value


def _at(value: object) -> str:
    if value != SENTENCE:
        raise RecipeError(
            f'merge_params: at={value!r} is not known. Known: {SENTENCE}, as in {{"at": "{SENTENCE}"}}.'
        )
    return SENTENCE


def _probability(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise RecipeError(
        f"merge_params: probability={value!r}: expected a number from 0 (the first writes all) "
        'to 1 (they alternate token by token), for example {"probability": 0.1}.'
    )


_CHECKS: dict[str, Callable[[object], Any]] = {
    "every": _every,
    "at": _at,
    "probability": _probability,
}


def _alphas(value: object) -> tuple[float, float]:
    parsed = [parse_alpha(v) for v in value] if isinstance(value, (list, tuple)) else []
    numbers = [alpha for alpha in parsed if isinstance(alpha, float)]
    if len(numbers) != 2 or len(parsed) != 2:
        raise RecipeError(
            f"merge_params: alphas={value!r}: expected two numbers, the first side's alpha and the "
            'second\'s, for example {"alphas": [0.2, 1.0], "every": 16}.'
        )
    if numbers[0] == numbers[1]:
        raise RecipeError(
            f"merge_params: alphas={numbers} is one model twice. Give two alphas that differ, or use "
            f"merge_method=linear with alpha={numbers[0]:g}."
        )
    return numbers[0], numbers[1]


class ScheduleState:
    """Where the rows of one batch are in the schedule, from the prompts on.

    Args:
        rule: when the other model goes on.
        decode: tokens -> text; the rule `at` asks it.
        seeds: one a row, for rules that draw. None takes them from torch's generator.
    """

    def __init__(
        self,
        rule: Schedule,
        decode: Callable[[list[int]], str],
        seeds: Sequence[int | None] | None = None,
    ) -> None:
        self._rule, self._decode, self._seeds = rule, decode, seeds
        self._rows: list[_Row] | None = None
        self._read = 0

    def sides(self, input_ids: torch.Tensor) -> list[int]:
        """The model that writes the next token of each row: 0 for the first, 1 for the second.

        Args:
            input_ids: [rows, tokens], all so far. Those of the first call are the prompts, which
                neither model wrote.

        Raises:
            ValueError: the rows are not as many as the seeds.
        """
        if self._rows is None:
            self._rows = [_Row(draws) for draws in self._draws(len(input_ids))]
            self._read = input_ids.shape[1]
        for row, tokens in zip(self._rows, input_ids[:, self._read :].tolist(), strict=True):
            for token in tokens:
                row.stretch.append(token)
                if self._rule.is_over(row.stretch, self._decode, row.draws):
                    row.side, row.stretch = 1 - row.side, []
        self._read = input_ids.shape[1]
        return [row.side for row in self._rows]

    def _draws(self, rows: int) -> list[random.Random]:
        seeds = self._seeds if self._rule.is_random else [0] * rows
        if seeds is None:
            seeds = torch.randint(2**62, (rows,)).tolist()
        if len(seeds) != rows:
            raise ValueError(
                f"{len(seeds)} switch_seeds for {rows} rows of answers: expected one a row, and neither "
                "beams nor several answers to a row."
            )
        # The same seed draws the row's tokens; these numbers must be others. The text shapes kept samples.
        return [random.Random(f"turns of {seed}") for seed in seeds]


class _Row:
    """One answer: the model that writes, and the tokens of its present stretch."""

    def __init__(self, draws: random.Random) -> None:
        self.draws = draws
        self.side = 0
        self.stretch: list[int] = []
