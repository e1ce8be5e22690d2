"""Comparing outputs with what a file of problems states, where no benchmark has rules of its own.

    >>> as_json((1, {2: 3}))
    [1, {'2': 3}]
    >>> same_text("0.50\\n", "0.5", TOKENS, 0.0)
    True

Oracles (`hm_tasks.sandbox.problem`) for values: `json` for those that came as JSON, which has no
tuples and no keys but text; `apps` also takes the only item of a list for the list, since files in
APPS's form wrap results or do not, and its evaluation takes both (testing_util.py of
hendrycks/apps). For printed text: `stdout`, `stdout-tokens` and `stdout-apps`; what each accepts is
in docs/traces.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from hm_tasks.sandbox.problem import APPS_TEXT, STDOUT, TEXTS, TOKENS
from hm_tasks.sandbox.wire.plain import DIGEST_ABOVE

# Only equal texts have equal digests, so rules that take more are given more of an output.
LENIENT_DIGEST_ABOVE = 4 * DIGEST_ABOVE
# numpy.allclose's, which APPS's evaluation uses on lines, and the digits that it rounds words to.
RELATIVE, ABSOLUTE, DIGITS = 1e-5, 1e-8, 3

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_BLANKS = re.compile(r"(\s+)")


def digest_above(oracle: str, atol: float) -> int:
    """Bytes of an output beyond which its digest is compared."""
    exact = oracle not in TEXTS or (oracle == STDOUT and not atol)
    return DIGEST_ABOVE if exact else LENIENT_DIGEST_ABOVE


def as_json(value: Any) -> Any:
    """The value with lists in place of tuples, and text for the keys of dicts, at every depth."""
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(key): as_json(its) for key, its in value.items()
        }
    return value


def same_text(out: Any, expected: Any, oracle: str, atol: float) -> bool:
    """Whether what was printed is right.

    Args:
        oracle: one of TEXTS.
        atol: by how much a number with a fraction or an exponent may differ, or by which share of
            itself; 0 for no tolerance at all.
    """
    if not isinstance(out, str) or not isinstance(expected, str):
        return bool(out == expected)  # digests
    if out == expected:
        return True
    if oracle == APPS_TEXT and _as_apps(out, expected):
        return True
    if oracle != TOKENS and not atol:
        return False
    split = _BLANKS.split if oracle == STDOUT else str.split
    given, wanted = split(out), split(expected)
    return len(given) == len(wanted) and all(
        one == other or (oracle == TOKENS and _one_value(one, other)) or _close(one, other, atol)
        for one, other in zip(given, wanted, strict=True)
    )


def _one_value(one: str, other: str) -> bool:
    """Whether two words are numbers of one value, at least one with a fraction or an exponent."""
    if _WHOLE.fullmatch(one) and _WHOLE.fullmatch(other):
        return False
    if not _NUMBER.fullmatch(one) or not _NUMBER.fullmatch(other):
        return False
    return Decimal(one) == Decimal(other)


def _close(one: str, other: str, atol: float) -> bool:
    """Whether a word is close to the number that is expected; whole numbers are left alone."""
    if not atol or _WHOLE.fullmatch(other):
        return False
    if not _NUMBER.fullmatch(one) or not _NUMBER.fullmatch(other):
        return False
    given, wanted = float(one), float(other)
    return abs(given - wanted) <= atol * max(1.0, abs(wanted))


def _as_apps(out: str, expected: str) -> bool:
    """As APPS's evaluation: its last two rules know no order of lines, nor of the words in them."""
    given, wanted = _lines(out), _lines(expected)
    if given == wanted:
        return True
    given, wanted = [line for line in given if line], [line for line in wanted if line]
    numbers, right = _floats(given), _floats(wanted)
    if numbers is not None and right is not None and _all_close(numbers, right):
        return True
    words = [{frozenset(line.split()) for line in lines} for lines in (given, wanted)]
    if words[0] == words[1]:
        return True
    rounded = [_rounded(lines) for lines in words]
    return rounded[0] is not None and rounded[0] == rounded[1]


def _all_close(given: list[float], wanted: list[float]) -> bool:
    return len(given) == len(wanted) and all(
        one == other or abs(one - other) <= ABSOLUTE + RELATIVE * abs(other)
        for one, other in zip(given, wanted, strict=True)
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def _floats(words: Iterable[str]) -> list[float] | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def _rounded(lines: set[frozenset[str]]) -> set[frozenset[float]] | None:
    found = set()
    for line in lines:
        if (numbers := _floats(line)) is None:
            return None
        found.add(frozenset(round(number, DIGITS) for number in numbers))
    return found
