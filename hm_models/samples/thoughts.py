"""Thoughts of reasoning models: how they are marked, where one ends, and the answer behind it.

    >>> answer_of("<think>First a draft.</think>The answer.")
    'The answer.'
    >>> answer_of("<think>It was cut off while it thou") is None
    True
    >>> answer_of('print("</think>")')
    'print("</think>")'

A thought is marked at its beginning and at its end. Its beginning may stand in the prompt, where the
chat template put it. A marker that is quoted, or that stands within a sentence, is spoken of and marks
nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple


class Marks(NamedTuple):
    """What stands before a thought, and what behind it."""

    begin: str
    end: str


# The form that this project asks for and trains on (`hm_tasks.traces.markers`). A solution that
# begins ends a thought that was not ended.
FORM = Marks("<begin_of_slow_thought>", "<end_of_slow_thought>")
FORM_ANSWER = ("<begin_of_solution>", "<end_of_solution>")
# As chat templates and model cards have them; other pairs are found in the tokenizer, see `marks_in`.
NATIVE = (
    Marks("<think>", "</think>"),  # DeepSeek-R1, Qwen3, GLM, Nemotron and most others
    Marks("<thinking>", "</thinking>"),
    Marks("<thought>", "</thought>"),  # EXAONE Deep
    Marks("<thoughts>", "</thoughts>"),
    Marks("<reasoning>", "</reasoning>"),
    Marks("<reason>", "</reason>"),
    Marks("<reflection>", "</reflection>"),
    Marks("<analysis>", "</analysis>"),
    Marks("<scratchpad>", "</scratchpad>"),
    Marks("[THINK]", "[/THINK]"),  # Magistral
    Marks("<seed:think>", "</seed:think>"),  # Seed-OSS
    Marks("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1, OpenThinker
    Marks("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    Marks("◁think▷", "◁/think▷"),  # Kimi
    Marks("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),  # gpt-oss
    Marks("<|channel>thought", "<channel|>"),  # Gemma 4
    Marks("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
)
KNOWN = (*NATIVE, FORM)
NATIVE_ENDS = "|".join(re.escape(marks.end) for marks in NATIVE)

# gpt-oss where special tokens were left out; both must be there.
_BARE = Marks("analysis", "assistantfinal")
_SPECIAL = re.compile(r"\s*(?:(?:<s>|<\|(?:begin_of_text|start|im_start)\|>(?:assistant)?)\s*)?")
_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}|~{3,})(?P<info>[^\n`]*)$", re.MULTILINE)
_QUOTES = "\"'`“”‘’"
# What a thought ends in, if its marker has no line of its own.
_GLUED = re.compile(r"[\w.!?)\]*:…。]")
_CODE_WORD = re.compile(r" (?:def|class|import|from|async|return|print)\b")

Block = tuple[int, int]


def answer_of(text: str, begun: Marks | None = None) -> str | None:
    """The answer behind the thoughts of a text; None where it ends within a thought.

    Args:
        begun: the marks of a thought that the prompt has begun (`begun_by`).
    """
    span = answer_span(text, begun)
    return None if span is None else text[span[0] : span[1]]


def answer_span(text: str, begun: Marks | None = None) -> tuple[int, int] | None:
    """Where the answer of a text begins and ends; None where the text ends within a thought."""
    start, blocks = 0, _blocks(text)
    first = (begun, 0) if begun is not None else _begin_at_start(text)
    if first is not None:
        end = end_of(first[0], text, first[1])
        if end is None:
            return None
        start = end
    elif (orphan := _orphan_end(text, blocks)) is not None:
        start = orphan
    # A model that thinks again has not answered before.
    while found := begins_again(text, start, KNOWN, blocks):
        end = end_of(found[1], text, found[0] + len(found[1].begin))
        if end is None:
            return (start, found[0]) if text[start : found[0]].strip() else None
        start = end
    return start, len(text)


def answer_in(text: str, facts: Mapping[str, Any]) -> str | None:
    """The same where the model has noted it beside the sample (`hm_models.samples.answer_watch`)."""
    if "answer" not in facts:
        return answer_of(text)
    return None if facts["answer"] is None else text[slice(*facts["answer"])]


def end_of(marks: Marks, text: str, start: int = 0, sure: bool = False) -> int | None:
    """Where a thought has ended that is there at `start`; None if it has not.

    Args:
        sure: leave out markers that may turn out to be spoken of, as more text comes.
    """
    ends = [marks.end, *FORM_ANSWER[:1]] if marks == FORM else [marks.end]
    pattern, perhaps = _any_of(tuple(ends)), None
    for found in pattern.finditer(text, start):
        mention = _mention(text, start, *found.span())
        if mention is False and not (sure and text[found.end() : found.end() + 2] in ("", " ")):
            return found.end() if found[0] == marks.end else found.start()
        if mention is None and perhaps is None:
            perhaps = found.end()
    return None if sure else perhaps


def begun_by(prompt: object, known: Sequence[Marks] = KNOWN) -> Marks | None:
    """The marks of the thought that a prompt ends in, as a chat template begins one."""
    prompt = prompt.rstrip() if isinstance(prompt, str) else ""
    return next((marks for marks in known if prompt.endswith(marks.begin)), None)


def begins_again(
    text: str, start: int, known: Sequence[Marks], blocks: Sequence[Block] | None = None
) -> tuple[int, Marks] | None:
    """Where, from `start` on, a thought begins on a line of its own and outside of code.

    Args:
        blocks: where there is code; None for a text that goes on, whose last block may be closed yet.
    """
    for found in _line_begins(tuple(known)).finditer(text, start):
        at, after = found.start("begin"), text[found.end() : found.end() + 1]
        # Where nothing stands behind it, what does is not known yet.
        if (after in _QUOTES) if after else blocks is None:
            continue
        if not _within(at, _blocks(text, goes_on=True) if blocks is None else blocks):
            return at, next(marks for marks in known if marks.begin == found["begin"])
    return None


def thought_in(text: str) -> str:
    """A text of thoughts without the markers."""
    return _any_of(tuple(marker for marks in KNOWN for marker in marks)).sub("", text).strip()


def _at_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


def _mention(text: str, start: int, at: int, end: int) -> bool | None:
    """Whether a marker in a thought from `start` on is only spoken of; None if that is not clear."""
    before, after = text[max(start, at - 1) : at], text[end : end + 8]
    fence = after.startswith("```")
    quoted = bool(before and after) and before in _QUOTES and not fence
    if quoted and not (after[0].isalnum() or after[0].isspace()):
        return True
    if not text[max(start, text.rfind("\n", start, at) + 1) : at].strip():
        return False  # on a line of its own
    if after and after[0] in ",.;:?!)]":
        return True
    if after[:1] == " " and after[1:2].islower() and not _CODE_WORD.match(after):
        return None if before.isspace() else False
    return False


def _begin_at_start(text: str) -> tuple[Marks, int] | None:
    special = _SPECIAL.match(text)
    for place in (len(text) - len(text.lstrip()), special.end() if special else 0):
        for marks in KNOWN:
            if text.startswith(marks.begin, place):
                return marks, place + len(marks.begin)
    if text.startswith(_BARE.begin) and _BARE.end in text:
        return _BARE, len(_BARE.begin)
    return None


def _orphan_end(text: str, blocks: Sequence[Block]) -> int | None:
    """Where a thought ends whose beginning is not in the text: it may have stood in the prompt."""
    ends = {marks.end: marks for marks in KNOWN}
    begins: dict[Marks, tuple[int, Marks] | None] = {}  # the first of each
    for found in _any_of(tuple(ends)).finditer(text):
        at, end = found.span()
        marks = ends[found[0]]
        before, after = text[at - 1 : at] if at else "", text[end : end + 3]
        own_line = _at_line(text, at)
        if not own_line and (not _GLUED.match(before) or (after[:1] and after[0] in "\"'")):
            continue
        if (after[:1] == "`" and after != "```") or _within(at, blocks):
            continue
        if _mention(text, 0, at, end) is not False:
            continue
        if marks not in begins:
            begins[marks] = begins_again(text, 0, (marks,), blocks)
        first = begins[marks]
        if first is not None and first[0] < at:
            return None  # no orphan: it ends what began there
        in_line = text.find(marks.begin, text.rfind("\n", 0, at) + 1, at) >= 0
        if in_line and after[:1] not in ("", "\n") and after != "```":
            continue  # both in one line of text
        return end
    return None


def _blocks(text: str, goes_on: bool = False) -> list[Block]:
    """Where there are blocks of code that are closed again, or may be."""
    blocks, opened = [], None
    for fence in _FENCE.finditer(text):
        if opened is None or fence["info"].strip():  # the one before was never closed
            opened = fence
        elif fence["fence"].startswith(opened["fence"]):
            blocks.append((opened.start(), fence.end()))
            opened = None
    if goes_on and opened is not None:
        blocks.append((opened.start(), len(text)))
    return blocks


def _within(at: int, blocks: Sequence[Block]) -> bool:
    before = bisect_right(blocks, at, key=lambda block: block[0])
    return before > 0 and at < blocks[before - 1][1]


@lru_cache
def _any_of(texts: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, texts)))


@lru_cache
def _line_begins(known: tuple[Marks, ...]) -> re.Pattern[str]:
    begins = "|".join(re.escape(marks.begin) for marks in known)
    return re.compile(rf"^[ \t]*(?P<begin>{begins})", re.MULTILINE)
