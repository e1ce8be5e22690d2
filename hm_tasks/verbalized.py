"""Several different answers out of one call, each with a probability that the model states.

    lm_eval ... --tasks mbppplus_passk --metadata '{"verbalized": 5, "n_samples": 10, "k": [1, 5, 10]}'

    >>> five = Verbalized(answers=5, n=11)
    >>> five.calls, [five.share(call) for call in range(five.calls)]
    (3, [5, 5, 1])
    >>> said = five.split("Answer 1 (probability 0.6):\\nred\\n\\nAnswer 2 (probability 30%): blue")
    >>> [(one.text, one.probability) for one in said]
    [('red', 0.6), ('blue', 0.3)]

ceil(n / answers) calls make n samples of a question. What a call does not give is *unread*: such a sample
is wrong. The idea is that of Verbalized Sampling (Zhang et al. 2025, arXiv 2510.01171); the words that ask,
the form and what is done with it are this project's (docs/sampling.md).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.models.utils import postprocess_generated_text

from hm_models.plugin.contracts import StylesPrompts
from hm_models.prompts.rendered import MEND, ApplyChatTemplate, ChatTemplateError, Turn
from hm_models.samples.generation import LENGTHS, stop_strings
from hm_models.samples.sampler import PARAMETERS, VERBALIZED
from hm_models.settings import ProtocolError

# With which a prompt that begins the answer begins it: the first line of the form, up to its number.
BEGUN = "Answer 1 (probability"
INSTRUCTION = (
    "Give {k} answers to this which differ from one another, each complete in itself. Put a line in front "
    "of each that has its number and, between 0 and 1, the probability with which you would have given "
    "it, like this:\n"
    f"{BEGUN} 0.4):\n"
    "The answer stands below its line. Write nothing before the first of these lines and nothing behind the "
    "last answer."
)
NOT_GIVEN = "unread: its call gave fewer answers than it was asked for"

# The line in front of an answer; of an answer as short as a number, the line that it stands on.
_LINE = re.compile(
    r"^[ \t#*>-]*answer[ \t]+\d+[^\w\n]*probability[ \t]*[:=]?[ \t]*([^\s()\[\]:,;*]*)[ \t]*(%?)[)\]:*. \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(r"(\d*\.?\d+)(%?)", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Stated:
    """One answer of a call, and its probability as the model states it; None where that is none."""

    text: str
    probability: float | None


@dataclasses.dataclass(frozen=True)
class Call:
    """What became of one call.

    Attributes:
        text: all that it said.
        probabilities: of its answers that count, in order; fewer than were asked for where some are unread.
        surplus: how many of its answers were dropped.
    """

    text: str
    probabilities: list[float | None]
    surplus: int


@dataclasses.dataclass(frozen=True)
class Verbalized:
    """How the calls of a question make its samples.

    Attributes:
        answers: that a call is asked for.
        n: samples of a question.
        until: stop strings, which end an answer and no call.
    """

    answers: int
    n: int
    until: tuple[str, ...] = ()

    @classmethod
    def of(cls, metadata: Mapping[str, Any], n: int) -> Verbalized | None:
        """As a task's metadata ask for it; None where a call is a sample.

        Raises:
            ProtocolError: it cannot be.
        """
        if (asked := metadata.get(VERBALIZED)) is None:
            return None
        if not PARAMETERS[VERBALIZED].holds(asked) or asked > n:
            raise ProtocolError(
                f"{VERBALIZED}={asked!r}: expected how many answers a call is asked for: "
                f"{PARAMETERS[VERBALIZED].words}, and n_samples={n} at most."
            )
        return cls(asked, n)

    @property
    def calls(self) -> int:
        """Of a question."""
        return math.ceil(self.n / self.answers)

    def share(self, call: int) -> int:
        """How many of the question's samples a call makes; of the last one it may be fewer."""
        return min(self.answers, self.n - call * self.answers)

    def stopped_by(self, gen_kwargs: Mapping[str, Any]) -> Verbalized:
        """The same with the stop strings of these sampling parameters."""
        return dataclasses.replace(self, until=tuple(stop_strings(gen_kwargs)))

    def generation(self, gen_kwargs: Mapping[str, Any], task: str) -> dict[str, Any]:
        """The sampling parameters of a call: room for all its answers, and no stop string, which would cut it.

        Raises:
            ProtocolError: they do not say how long an answer may be.
        """
        lengths = {name: gen_kwargs[name] for name in LENGTHS if gen_kwargs.get(name) is not None}
        if not lengths:
            raise ProtocolError(
                f"{task}: {VERBALIZED}={self.answers} needs room for {self.answers} answers, and nothing says "
                "how long one may be. Say it: --gen_kwargs max_gen_toks=512."
            )
        room = {name: int(length) * self.answers for name, length in lengths.items()}
        return {**gen_kwargs, **room, "until": []}

    def noted(self, gen_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """For the results: what differs from a call a sample, given a call's sampling parameters."""
        length = next(gen_kwargs[name] for name in LENGTHS if name in gen_kwargs)
        return {VERBALIZED: self.answers, "calls": self.calls, "max_gen_toks": length}

    def asking(self, apply_chat_template: ApplyChatTemplate) -> ApplyChatTemplate:
        """A chat template whose last question asks for several answers."""
        words = INSTRUCTION.format(k=self.answers)

        def apply(turns: Sequence[Turn], **given: Any) -> Any:
            last = max(at for at, turn in enumerate(turns) if turn["role"] == "user")
            asked = [_with(turn, words) if at == last else turn for at, turn in enumerate(turns)]
            return apply_chat_template(asked, **given)

        return apply

    def check(self, prompt: Any, whose: str = "The model's chat template") -> None:
        """Raise ChatTemplateError where a prompt does not ask for several answers."""
        if isinstance(prompt, str) and INSTRUCTION.format(k=self.answers) not in prompt:
            raise ChatTemplateError(
                f"{whose} leaves out or changes what asks for {self.answers} answers ({VERBALIZED}). {MEND}"
            )

    def split(self, text: str) -> list[Stated]:
        """The answers in what a call said, in order; whatever stands before the first line is none.

        An answer ends before the next one's line, or at a stop string. Without a word it is none.
        """
        lines = list(_LINE.finditer(text))
        found = []
        for line, behind in itertools.zip_longest(lines, lines[1:]):
            end = behind.start() if behind else len(text)
            body = text[line.end() : end].strip("\r\n")
            body = postprocess_generated_text(body, list(self.until), None).rstrip()
            if body:
                found.append(Stated(body, _probability(line[1] + line[2])))
        return found


def refuse_plain(task: str, call: Verbalized | None, rendered: bool, model: Any) -> None:
    """Refuse to ask for several answers in a prompt that is no chat.

    Args:
        rendered: whether prompts are chats whatever the model.
        model: the harness's; None where it is not known.

    Raises:
        ProtocolError: it would be one.
    """
    if call is None or rendered:
        return
    if not (isinstance(model, StylesPrompts) and model.prompt_style == "chat"):
        raise ProtocolError(
            f"{task}: {VERBALIZED}={call.answers} asks in a chat, and this model is given prompts to complete, "
            "as hm-merged is at alpha 0. Leave it out there; or ask in a chat: --apply_chat_template, or "
            "prompt_style=chat of hm-merged."
        )


def _with(turn: Turn, words: str) -> Turn:
    content = turn["content"]
    if isinstance(content, str):
        return turn | {"content": f"{content.rstrip()}\n\n{words}"}
    return turn | {"content": [*content, {"type": "text", "text": f"\n\n{words}"}]}


def _probability(said: str) -> float | None:
    number = _NUMBER.fullmatch(said.rstrip("."))
    if number is None:
        return None
    value = float(number[1]) / (100 if number[2] else 1)
    return value if value <= 1 else None
