"""Builds the values that `kinds` took apart, from payloads that may be forged.

>>> simplify(Fraction(6, 3)), simplify({"a": 1}.keys()), simplify(2.5 + 0j)
(2, {'a'}, 2.5)

It runs in the judge. Every field is checked, and nothing is made that takes more time or memory
than its payload accounts for.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Set
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hm_tasks.sandbox.wire.kinds import (
    BASES,
    FIRST_TYPE,
    FRACTION_BITS,
    NAME_LENGTH,
    SUBCLASS,
    TAKEN_APART,
    TYPES,
    VIEWS,
    Iterated,
    NotCanonical,
    Opaque,
    PlainError,
)

CANONICAL_TYPES: tuple[Any, ...] = (type(None), bool, int, str, bytes, bytearray)
CANONICAL_TYPES += (list, tuple, dict, set, frozenset)
DECIMAL_DIGITS = 10_000  # a larger number is no integer that a digest would stand for
SAME_HASH = 1000  # as many keys may share one hash before a set of them counts as an attack


def crowded(values: list) -> bool:
    """Whether a set of these would take forever, as too many share one hash."""
    if len(values) <= SAME_HASH:
        return False
    hashes = list(map(hash, values))
    if len(hashes) - len(set(hashes)) <= SAME_HASH:
        return False
    # Equal values share a hash without harm.
    first: dict[int, Any] = {}
    different: Counter = Counter()
    for key, value in zip(hashes, values, strict=True):
        if key not in first:
            first[key] = value
        elif not (first[key] is value or first[key] == value):
            different[key] += 1
            if different[key] > SAME_HASH:
                return True
    return False


def build_set(values: list) -> set:
    """A set of decoded values."""
    if crowded(values):
        raise PlainError("too many elements with one hash")
    return set(values)


def build_dict(keys: list, values: list) -> dict:
    """A dict of decoded values."""
    if crowded(keys):
        raise PlainError("too many keys with one hash")
    return dict(zip(keys, values, strict=True))


def simplify(value: Any) -> Any:
    """What a decoded value equals among the types that have a canonical form.

    Raises:
        NotCanonical: it equals none of them.
    """
    if type(value) in CANONICAL_TYPES:
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Decimal) and (
        not value.is_finite() or abs(value.adjusted()) >= DECIMAL_DIGITS
    ):
        raise NotCanonical
    if isinstance(value, (Decimal, Fraction)):
        if value == (whole := int(value)):
            return whole
        if -DECIMAL_DIGITS < value < DECIMAL_DIGITS and value == (near := float(value)):
            return near
        raise NotCanonical
    if isinstance(value, complex) and value.imag == 0:
        return simplify(value.real)
    if isinstance(value, memoryview):
        return bytes(value)
    for base in CANONICAL_TYPES[2:]:
        if isinstance(value, base):
            return base(value)
    if isinstance(value, Set):  # views of keys and of items
        return build_set(list(value))
    if getattr(value, "ndim", 1) == 0:  # a number of numpy's
        number = value.item()
        if type(number) is not type(value):
            return simplify(number)
    raise NotCanonical


def check(value: Any, *kinds: type) -> Any:
    """The value, if it is of exactly one of these types."""
    if not any(type(value) is kind for kind in kinds):
        raise PlainError(f"a {type(value).__name__} where another type belongs")
    return value


def _fields(payload: Any, *kinds: type) -> tuple:
    if len(check(payload, tuple)) != len(kinds):
        raise PlainError("a payload with missing fields")
    return tuple(map(check, payload, kinds))


class Builder:
    """Builds the values of one encoding; a class of a name is made once in it."""

    MOST_CLASSES = 1000

    def __init__(self) -> None:
        self._classes: dict[tuple[int, str], type] = {}

    def build(self, kind: int, payload: Any) -> Any:
        """Return the value that `take_apart` took apart."""
        if kind == SUBCLASS:
            return self._subclass(payload)
        if kind >= len(_BUILD):
            raise PlainError("an unknown kind")
        return _BUILD[kind](payload)

    def _subclass(self, payload: Any) -> Any:
        if len(check(payload, tuple)) != 3:
            raise PlainError("a payload with missing fields")
        index, name, content = payload
        base = _pick(BASES, index)[0]
        key = (index, check(name, str))
        if key not in self._classes:
            if len(self._classes) >= self.MOST_CLASSES or len(name) > NAME_LENGTH:
                raise PlainError("too many classes")
            # Never the same class as in another encoding: as in evalplus, where a program's class
            # is not the reference solution's.
            self._classes[key] = type(name, (base,), {})
        if base is dict:
            content = build_dict(*_fields(content, list, list))
        elif base is set or base is frozenset:
            content = build_set(check(content, list))
        return self._classes[key](check(content, base, *((set,) if base is frozenset else ())))


def _pick(choices: list, index: Any) -> Any:
    if not 0 <= check(index, int) < len(choices):
        raise PlainError("no such choice")
    return choices[index]


def _build_counts(payload: Any) -> Counter:
    counts: Counter = Counter()
    dict.update(counts, build_dict(*_fields(payload, list, list)))
    return counts


def _build_fraction(payload: Any) -> Fraction:
    numerator, denominator = _fields(payload, int, int)
    if max(numerator.bit_length(), denominator.bit_length()) > FRACTION_BITS or denominator <= 0:
        raise PlainError("no fraction")
    return Fraction(numerator, denominator)


def _build_ordered(payload: Any) -> OrderedDict:
    return OrderedDict(build_dict(*_fields(payload, list, list)))


def _build_time(payload: Any) -> datetime.time:
    *parts, fold = _fields(payload, *[int] * 5)
    return datetime.time(*parts, fold=fold)


def _build_datetime(payload: Any) -> datetime.datetime:
    *parts, fold = _fields(payload, *[int] * 8)
    return datetime.datetime(*parts, fold=fold)


def _numbers_dtype(name: Any) -> Any:
    import numpy

    if not re.fullmatch(r"\|b1|[<>|][iu][1248]|[<>]f(2|4|8|16)|[<>]c(8|16|32)", check(name, str)):
        raise PlainError("no plain dtype")
    return numpy.dtype(name)


def _numbers(dtype: Any, raw: bytes) -> Any:
    import numpy

    if dtype.kind == "b":
        return numpy.frombuffer(raw, "u1") != 0  # other bytes than 0 and 1 are no truth values
    return numpy.frombuffer(raw, dtype).copy()


def _build_scalar(payload: Any) -> Any:
    name, raw = _fields(payload, str, bytes)
    dtype = _numbers_dtype(name)
    if len(raw) != dtype.itemsize:
        raise PlainError("no single number")
    return _numbers(dtype, raw)[0]


def _build_array(payload: Any) -> Any:
    import numpy

    if len(check(payload, tuple)) != 3:
        raise PlainError("a payload with missing fields")
    name, shape, content = check(payload[0], str), check(payload[1], tuple), payload[2]
    if len(shape) > 32 or not all(0 <= check(size, int) < 1 << 40 for size in shape):
        raise PlainError("no shape")
    if type(content) is bytes:
        return _numbers(_numbers_dtype(name), content).reshape(shape)
    values = check(content, list)
    if name == "|O":
        array = numpy.empty(len(values), object)
        for index, value in enumerate(values):
            array[index] = value
        return array.reshape(shape)
    if not re.fullmatch(r"[<>]U\d{1,8}|\|S\d{1,8}", name):
        raise PlainError("no plain dtype")
    for value in values:
        check(value, str if "U" in name else bytes)
    dtype = numpy.dtype(name)
    if dtype.itemsize * len(values) > 1 << 26:
        raise PlainError("too large an array")
    return numpy.array(values, dtype).reshape(shape)


def _build_iterated(payload: Any) -> Iterated:
    return Iterated(*_fields(payload, str, list))


def _columns(payload: Any) -> tuple[list, list]:
    for pair in check(payload, list):
        if len(check(pair, tuple)) != 2:
            raise PlainError("no pair")
    return [key for key, _ in payload], [value for _, value in payload]


_BY_TYPE: dict[type, Callable[[Any], Any]] = {
    type(Ellipsis): lambda payload: Ellipsis,
    type(NotImplemented): lambda payload: NotImplemented,
    type: lambda payload: _pick(TYPES, payload),
    range: lambda payload: range(*_fields(payload, int, int, int)),
    slice: lambda payload: slice(*check(payload, tuple)),
    Fraction: _build_fraction,
    Decimal: lambda payload: Decimal(check(payload, str)),
    Counter: _build_counts,
    defaultdict: lambda p: defaultdict(None, build_dict(*_fields(p, list, list))),
    OrderedDict: _build_ordered,
    deque: lambda payload: deque(check(payload, list)),
    datetime.date: lambda payload: datetime.date(*_fields(payload, int, int, int)),
    datetime.time: _build_time,
    datetime.datetime: _build_datetime,
    datetime.timedelta: lambda payload: datetime.timedelta(*_fields(payload, int, int, int)),
    memoryview: lambda payload: memoryview(check(payload, bytes)),
    # Views of keys and of items compare as sets do, and to sets.
    VIEWS[0]: lambda p: build_dict(check(p, list), p).keys(),
    VIEWS[1]: lambda p: dict(enumerate(check(p, list))).values(),
    VIEWS[2]: lambda p: build_dict(*_columns(p)).items(),
    VIEWS[3]: lambda p: OrderedDict(build_dict(check(p, list), p)).keys(),
    VIEWS[4]: lambda p: OrderedDict(enumerate(check(p, list))).values(),
    VIEWS[5]: lambda p: OrderedDict(build_dict(*_columns(p))).items(),
}
_BUILD: list[Callable[[Any], Any]] = [
    lambda payload: Opaque(check(payload, str)),
    lambda payload: None,  # subclasses: see Builder
    _build_array,
    _build_scalar,
    _build_iterated,
    *(_BY_TYPE[cls] for cls in TAKEN_APART),
]
assert len(_BUILD) == FIRST_TYPE + len(_BY_TYPE)
