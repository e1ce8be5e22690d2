"""How a model marks its thoughts: as the user says, else as its tokenizer and chat template do.

Thinking.of(tokenizer, think_end_token=None).may_think(prompt)

>>> Thinking().may_think("Is 7 prime?<think>"), Thinking().may_think("Is 7 prime?")
(True, False)
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hm_models.errors import RecipeError
from hm_models.samples.thoughts import KNOWN, Marks

_SAYS = re.compile(r"think|thought|reason", re.IGNORECASE)
_TAGS = re.compile(r"</[\w:-]+>|\[/\w+\]|<\|/?\w+\|>")  # what may be a marker in a chat template
_PARTS = re.compile(r"<[^<>]+>|\[[^\[\]]+\]|◁[^▷]+▷")
# From the end of a thought to its beginning.
_TURNED = (("/", ""), ("end", "begin"), ("end", "start"), ("END", "START"), ("END", "BEGIN"))


@dataclasses.dataclass(frozen=True)
class Thinking:
    """How a model marks its thoughts.

    Attributes:
        known: the marks that count.
        sequences: tokens of markers that are tokens of their own; the same text in other tokens is
            only spoken of.
        found: a marker is in the tokenizer's vocabulary or chat template, or was given.
        given: the end marker that the user gave (`think_end_token`): thoughts are left out of texts.
        assumed: the marks of a thought that each answer begins with: an end was given, and nothing
            says how a thought begins.
    """

    known: tuple[Marks, ...] = KNOWN
    sequences: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    found: bool = False
    given: str | None = None
    assumed: Marks | None = None

    @classmethod
    def of(cls, tokenizer: Any, think_end_token: str | int | None = None) -> Thinking:
        """What a tokenizer and its chat template say, and what the user says."""
        tokens: Mapping[str, int] = tokenizer.get_added_vocab()
        template = str(getattr(tokenizer, "chat_template", None) or "")
        marks = [*_found({*tokens, *_TAGS.findall(template)}, template), *KNOWN]

        def is_there(marker: str) -> bool:
            parts = _PARTS.findall(marker)  # of several tokens, as gpt-oss's
            return marker in template or (bool(parts) and all(part in tokens for part in parts))

        given, assumed = _given(tokenizer, think_end_token), None
        if given is not None:
            like = [
                m for m in marks if m.end == given or (len(given) > 8 and m.end.endswith(given))
            ]
            like = [m for m in like if is_there(m.begin)] or like or list(_turned(given, is_there))
            assumed = None if like and is_there(like[0].begin) else Marks("", given)
            marks = [*like, *marks]
        known = tuple(dict.fromkeys(marks))
        found = given is not None or any(is_there(m.begin) or is_there(m.end) for m in known)
        thinking = cls(known, {}, found, given, assumed)
        sequences = _sequences(tokenizer, thinking.all, set(tokens.values()))
        return dataclasses.replace(thinking, sequences=dict(sequences))

    @property
    def all(self) -> tuple[Marks, ...]:
        return (*self.known, self.assumed) if self.assumed else self.known

    def may_think(self, prompt: str) -> bool:
        """Whether answers to it may hold a thought: the model has marks, or the prompt does."""
        return self.found or any(marks.begin in prompt for marks in self.known)


def check_thinking(arguments: Mapping[str, Any]) -> None:
    """Refuse what the harness's backends refuse after they have loaded a model.

    Raises:
        RecipeError: `enable_thinking` without `think_end_token`.
    """
    if arguments.get("enable_thinking") and arguments.get("think_end_token") is None:
        raise RecipeError(
            "enable_thinking=True needs the marker that ends a thought; the harness leaves thoughts "
            "out of texts then. Add think_end_token=</think>, or what this model's thoughts end with. "
            "With the pass@k tasks leave enable_thinking out: their chat prompts have begun the answer "
            "(it is prefilled), so that nothing is thought before it."
        )


# Of a model of which nothing says that it thinks.
NO_THOUGHTS = Thinking(known=())


def _given(tokenizer: Any, marker: str | int | None) -> str | None:
    """The marker's text. As in the harness, a number is a token."""
    if isinstance(marker, int) or (isinstance(marker, str) and marker.isdigit()):
        return tokenizer.decode([int(marker)])
    return marker or None


def _found(markers: set[str], template: str) -> Iterator[Marks]:
    """Pairs that speak of thoughts by their names."""
    for end in sorted(marker for marker in markers if _SAYS.search(marker)):
        yield from _turned(end, lambda begin: begin in markers or begin in template)


def _turned(end: str, is_there: Callable[[str], bool]) -> Iterator[Marks]:
    for old, new in _TURNED:
        begin = end.replace(old, new, 1)
        if begin != end and is_there(begin):
            yield Marks(begin, end)


def _sequences(
    tokenizer: Any, known: Iterable[Marks], own: set[int]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for marks in known:
        ids = tuple(tokenizer.encode(marks.end, add_special_tokens=False))
        # In plain tokens a marker may be cut otherwise in each text, so that its text counts.
        if (own & set(ids) or len(ids) == 1) and tokenizer.decode(list(ids)).strip() == marks.end:
            yield marks.end, ids
