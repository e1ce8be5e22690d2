"""Which answers of one question are equal: by their text, or as mathematics by math-verify.

>>> alike = Alike(lambda first, text: first is None or {first, text} == {"0.5", "1/2"})
>>> [alike.class_of(answer) for answer in ("0.5", "1/2", "0.50", "12", "3^2", "12.0")]
[0, 0, 0, 1, 2, 1]

math-verify parses what a model wrote, and sympy simplifies it: both may take for ever, so whoever asks
has `compare` run by isolated processes (`hm_tasks.any_passk.grading`). Numbers in plain decimal form are
compared here, by the digits that math-verify compares.

Source: math-verify (github.com/huggingface/Math-Verify); `verify` rounds numbers to six digits.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from hm_models.settings import ProtocolError
from hm_tasks.any_passk.settings import MATH
from hm_tasks.sandbox.guarded import NoAnswer

logger = logging.getLogger(__name__)

# Of computing, for one comparison: what honest answers need is hundredths of one.
SECONDS = 1.0
LONGEST_ANSWER = 200  # characters; what is longer, or has lines, is a response with an answer in it
_ROUNDED = Decimal("0.000001")
_PARSED = 4096  # answers that a process keeps parsed

_NUMBER = re.compile(r"\$?([+-]?)\$?(\d{1,18}|\d{1,3}(?:,\d{3}){1,5})(\.\d{0,20})?\.?", re.ASCII)
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[\s,.'-]+[^\W\d_]+)*\.?")
_MARKED = re.compile(r"\$|\\boxed|\\\(|\\\[|(?<![\\A-Za-z])[A-Za-z]{3,}")
_PACKAGES = ("math-verify", "latex2sympy2_extended", "sympy")

# Whether the answer equals the first of a class; for None, whether there is an answer in it at all.
Ask = Callable[[str | None, str], bool | NoAnswer]


def equality(by: str) -> dict[str, Any]:
    """What decides that answers are equal, with its version, for the results.

    Raises:
        ProtocolError: it is not installed.
    """
    if by != MATH:
        return {"by": by}
    if (
        importlib.util.find_spec("math_verify") is None
        or importlib.util.find_spec("antlr4") is None
    ):
        raise ProtocolError(
            "equal=math needs math-verify, which is not installed: "
            "pip install 'math-verify[antlr4_11_0]', or use equal=text."
        )
    name, *parsers = (f"{package} {version(package)}" for package in _PACKAGES)
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # else it warns that time is kept here
    compare(None, "\\frac{1}{2}")  # load it before processes are forked
    return {"by": by, "version": name, "parser": ", ".join(parsers)}


def compare(first: str | None, text: str) -> bool:
    """See `Ask`; for isolated processes alone."""
    from math_verify import verify
    from sympy import Integer

    found = _parsed(text)
    if first is not None:
        return verify(_parsed(first), found, timeout_seconds=None)
    verify(
        [Integer(1)], found, timeout_seconds=None
    )  # what cannot even be compared with that is at fault
    return bool(found)


@functools.lru_cache(_PARSED)
def _parsed(text: str) -> list[Any]:
    from math_verify import parse

    if is_response(text) or _MARKED.search(text):
        return parse(text, parsing_timeout=None)
    return parse(f"${text}$", parsing_timeout=None)


def is_response(text: str) -> bool:
    """Whether it is a whole response, in which an answer is to be looked for."""
    return len(text) > LONGEST_ANSWER or "\n" in text.strip()


def warn_of_responses(task: str, kind: str, answers: Iterable[str]) -> None:
    """Say so where a filter took no answer out of the responses: hardly two of them are equal as texts."""
    if any(map(is_response, answers)):
        logger.warning(
            "%s: the filter %s leaves whole texts as answers, and equal=text compares these: maj@k and "
            "distinct_answers say little. For mathematics ask for equal=math (--metadata "
            '\'{"equal": "math"}\'); else wrap a task with a filter that finds the answer.',
            task,
            kind,
        )


def plain_number(text: str) -> Decimal | None:
    """The value of a number in plain decimal form, to the digits that are compared.

    >>> plain_number("$1,000.50"), plain_number("18."), plain_number("1e3")
    (Decimal('1000.500000'), Decimal('18.000000'), None)
    """
    if not (found := _NUMBER.fullmatch(text.strip())):
        return None
    sign, whole, fraction = found.groups()
    value = Decimal(sign + whole.replace(",", "") + (fraction or "")).quantize(_ROUNDED)
    return value if value else abs(value)


class Alike:
    """Classes of equal answers of one question, as mathematics; found one answer after another.

    An answer that cannot be compared within the limits is a class of its own, and a class is compared
    no more once that took too much: one answer costs the others nothing.

    Attributes:
        beyond_limits: why, of answers that could not be compared.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._classes: dict[Decimal | str, int | None] = {}  # by number or text
        self._open: dict[int, tuple[str, bool]] = {}  # a class's first answer, and whether a number
        self._count = 0
        self.beyond_limits: dict[str, str] = {}

    def class_of(self, text: str) -> int | None:
        """The number of the answer's class; None where there is no answer in a response."""
        number = plain_number(text)
        key = text.strip() if number is None else number
        if key not in self._classes:
            self._classes[key] = self._find(text, number is not None)
        return self._classes[key]

    def _find(self, text: str, is_number: bool) -> int | None:
        compared = is_number or not _WORDS.fullmatch(text.strip())
        if compared and not is_number:
            found = self._ask(None, text)
            if isinstance(found, NoAnswer):
                self.beyond_limits[text] = found.reason
            elif not found and is_response(text):
                return None
            compared = found is True
        if compared:
            for number, (first, other_is_number) in list(self._open.items()):
                if is_number and other_is_number:
                    continue
                found = self._ask(first, text)
                if isinstance(found, NoAnswer):
                    self.beyond_limits[first] = found.reason
                    del self._open[number]
                elif found:
                    return number
        new, self._count = self._count, self._count + 1
        if compared:
            self._open[new] = text, is_number
        return new
