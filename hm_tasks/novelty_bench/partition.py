"""Answers to classes: each that differs from all classes' first answers begins a class of its own.

The greedy partition of NoveltyBench (Zhang et al. 2025): the first answer without a class begins one, and
every later one without a class that is the same to the user joins it. All questions go in step, so that a
judge is asked for many comparisons at once; equal texts are not compared.

    >>> by_letter = lambda pairs: [Judgment(int(a[0] == b[0]), "") for _, a, b in pairs]
    >>> [found] = partition([("Name one.", ["apple", "pear", "ananas", "apple"])], by_letter)
    >>> found.classes
    (0, 1, 0, 0)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from hm_metrics.judgment import UNFINISHED, Judgment

# A prompt and its answers; None: cut off within a thought.
AnsweredPrompt = tuple[str, Sequence[str | None]]
Compared = tuple[str, str, str]  # a prompt and two answers to it
# Whether the two answers are the same to a user (score 1) or not (0), for each pair; or unscored, and why.
Compare = Callable[[Sequence[Compared]], Sequence[Judgment]]


@dataclasses.dataclass
class Partition:
    """One question's answers.

    Attributes:
        classes: of each answer; None where there are none, for `unscored` then says why.
        unscored: a reason.
        judgments: on the pairs that were compared.
    """

    answers: Sequence[str | None]
    classes: tuple[int, ...] | None = None
    unscored: str = ""
    judgments: list[Judgment] = dataclasses.field(default_factory=list)

    @property
    def different(self) -> int:
        """Number of different texts: no partition has more classes."""
        return len({answer for answer in self.answers if answer is not None})

    def firsts(self) -> list[str]:
        """The first answer of each class."""
        assert self.classes is not None
        return [str(self.answers[self.classes.index(n)]) for n in range(max(self.classes) + 1)]


def partition(questions: Sequence[AnsweredPrompt], compare: Compare) -> list[Partition]:
    """The classes of all questions' answers."""
    found = [Partition(answers) for _, answers in questions]
    open_ = []
    for (prompt, answers), made in zip(questions, found, strict=True):
        if None in answers:
            made.unscored = UNFINISHED
        else:
            open_.append(_Open(prompt, [str(answer) for answer in answers], made))
    while open_:
        for question in open_:
            question.begin_class()
        pairs = [pair for question in open_ for pair in question.pairs()]
        judgments = iter(compare(pairs))
        for question in open_:
            question.join([next(judgments) for _ in question.pairs()])
        open_ = [question for question in open_ if not question.is_done]
    return found


class _Open:
    """A question whose answers do not all have a class yet."""

    def __init__(self, prompt: str, answers: Sequence[str], made: Partition) -> None:
        self._prompt, self._made = prompt, made
        self._answers = answers
        self._class_of: dict[str, int] = {}  # of texts
        self._first = ""  # answer of the class that is being made
        self._last = -1  # class

    def begin_class(self) -> None:
        self._first = self._without_class()[0]
        self._last += 1
        self._class_of[self._first] = self._last

    def pairs(self) -> list[Compared]:
        return [(self._prompt, self._first, other) for other in self._without_class()]

    def join(self, judgments: Sequence[Judgment]) -> None:
        self._made.judgments += judgments
        others = self._without_class()
        for other, judgment in zip(others, judgments, strict=True):
            if judgment.score is None:
                self._made.unscored = self._made.unscored or judgment.unscored
            elif judgment.score == 1:
                self._class_of[other] = self._last
        if not self._made.unscored and not self._without_class():
            self._made.classes = tuple(self._class_of[answer] for answer in self._answers)

    @property
    def is_done(self) -> bool:
        return bool(self._made.unscored) or self._made.classes is not None

    def _without_class(self) -> list[str]:
        return [text for text in dict.fromkeys(self._answers) if text not in self._class_of]
