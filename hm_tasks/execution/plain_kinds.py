"""What plain data can hold beside Python's basic types, taken apart and built again.

A value of one of these kinds travels as the kind's number and a payload of basic values. Taking
apart happens in the candidate's process, where every method of a Python class may be overridden and
every builtin replaced: only exact types are trusted, the rest is read by the base class's own
slots. Building happens in the judge, from payloads that may be forged: every field is checked.
"""

from __future__ import annotations

import datetime
import re
import sys
from builtins import (  # noqa: UP029
    Exception,
    bytes,
    dict,
    frozenset,
    id,
    int,
    len,
    list,
    map,
    max,
    range,
    set,
    slice,
    str,
    tuple,
    type,
    zip,
)
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any

FRACTION_BITS = 1 << 16  # the greatest common divisor of longer numbers takes too long
HEAP_TYPE = 1 << 9  # set in `__flags__` of classes that a `class` statement made
NAME_LENGTH = 100
SAME_HASH = 1000  # as many keys may share one hash before a set of them counts as an attack


class PlainError(ValueError):
    """Bytes that are no encoded value."""


class Opaque:
    """Stands for a value that does not travel: not None, and equal to nothing."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what

    def __eq__(self, other: object) -> bool:
        # An array compares element by element, to whatever it is compared.
        return False if isinstance(other, Opaque) else NotImplemented

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.what}>"


class TooLarge(Opaque):
    """Stands for a value whose encoding would be longer than allowed."""


class Iterated(Opaque):
    """An iterable that does not travel itself, with what iterating over it gave."""

    __slots__ = ("_values",)

    def __init__(self, what: str, values: list) -> None:
        super().__init__(what)
        self._values = values

    def __iter__(self) -> Iterator:
        return iter(self._values)


class NumpyTypes:
    """numpy's types as far as the candidate has loaded it; it is never loaded for encoding's sake."""

    def __init__(self) -> None:
        self.ndarray = self.generic = self.nan = None
        module = dict.get(_modules, "numpy")
        if type(module) is ModuleType:
            names = _module_dict(module)
            self.ndarray, self.generic = dict.get(names, "ndarray"), dict.get(names, "generic")
            nan = dict.get(names, "nan")
            self.nan = nan if type(nan) is float and nan != nan else None


_modules = sys.modules
_module_dict: Callable[[Any], dict] = vars(ModuleType)["__dict__"].__get__
type_name = type.__dict__["__name__"].__get__
_mro = type.__dict__["__mro__"].__get__
_flags = type.__dict__["__flags__"].__get__
_numerator = Fraction.__dict__["_numerator"].__get__  # type: ignore[attr-defined]
_denominator = Fraction.__dict__["_denominator"].__get__  # type: ignore[attr-defined]
_bit_length = int.bit_length
_ordered_items = OrderedDict.items
_decimal_text = Decimal.__str__
_whole = slice(None)

_views = [{}.keys(), {}.values(), {}.items()]
_ordered: OrderedDict = OrderedDict()
_views += [_ordered.keys(), _ordered.values(), _ordered.items()]
_VIEWS = [type(view) for view in _views]
_TYPES = [bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict]
_TYPES += [
    range,
    object,
    type,
    type(None),
    Fraction,
    Decimal,
    Counter,
    OrderedDict,
    defaultdict,
    deque,
]
_CONSTANTS = [Ellipsis, NotImplemented]


def _pairs(value: dict) -> tuple[list, list]:
    return list(dict.keys(value)), list(dict.values(value))


# A subclass's instance travels as the value of its base: the base's own slots make the copy.
_BASES: list[tuple[type, Callable[[Any], Any]]] = [
    (int, int.__index__),
    (float, float.__float__),
    (complex, complex.__pos__),
    (str, str.__str__),
    (bytes, lambda value: bytes.__getitem__(value, _whole)),
    (bytearray, lambda value: bytearray.__getitem__(value, _whole)),
    (list, list.copy),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (set, lambda value: list(set.__iter__(value))),  # a set would call the elements' __hash__
    (frozenset, lambda value: list(frozenset.__iter__(value))),
    (dict, _pairs),
]


def name_of(value: object) -> str:
    """The name of a value's true class."""
    return str.__str__(type_name(type(value)))[:NAME_LENGTH]


def take_apart(value: Any, numpy: NumpyTypes) -> tuple[int, Any]:
    """Return the kind of a value that is of no basic type, and its payload."""
    try:
        exact = _TAKE.get(id(type(value)))
        if exact is not None:
            payload = exact[1](value)
            return (OPAQUE, name_of(value)) if payload is None else (exact[0], payload)
        cls = type(value)
        if numpy.ndarray is not None:
            if cls is numpy.ndarray:
                return _take_array(value)
            if not _flags(cls) & HEAP_TYPE and numpy.generic in _mro(cls):
                dtype = value.dtype
                if dtype.kind in "biufc":
                    return NUMPY_SCALAR, (dtype.str, value.tobytes())
        for base in _mro(cls):
            for index, (known, copy) in _NUMBERED_BASES:
                if base is known:
                    return SUBCLASS, (index, name_of(value), copy(value))
    except Exception:  # a hostile value: nothing of it is needed
        pass
    return OPAQUE, name_of(value)


_NUMBERED_BASES = tuple(zip(range(len(_BASES)), _BASES, strict=True))


def _take_array(value: Any) -> tuple[int, Any]:
    dtype = value.dtype
    if dtype.kind in "biufc":
        return ARRAY, (dtype.str, value.shape, value)  # the writer looks at the size, then copies
    if dtype.kind in "USO":
        return ARRAY, (dtype.str, value.shape, value.reshape(-1).tolist())
    return OPAQUE, "ndarray"


def _take_fraction(value: Fraction) -> tuple | None:
    parts = _numerator(value), _denominator(value)
    if type(parts[0]) is not int or type(parts[1]) is not int:
        return None
    return parts if max(map(_bit_length, parts)) <= FRACTION_BITS else None


def _take_type(value: type) -> int | None:
    for index, known in _NUMBERED_TYPES:
        if known is value:
            return index
    return None


_NUMBERED_TYPES = tuple(zip(range(len(_TYPES)), _TYPES, strict=True))


def _take_time(value: Any) -> tuple | None:
    parts = (value.hour, value.minute, value.second, value.microsecond, value.fold)
    return None if value.tzinfo is not None else parts


def _take_datetime(value: Any) -> tuple | None:
    time = _take_time(value)
    return None if time is None else (value.year, value.month, value.day, *time)


def _take_memory(value: memoryview) -> bytes | None:
    return value.tobytes() if value.format == "B" and value.ndim == 1 else None


# ---- building, in the judge -------------------------------------------------------------------


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
        base = _pick(_BASES, index)[0]
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


OPAQUE, SUBCLASS, ARRAY, NUMPY_SCALAR, ITERATED = range(5)
_BUILD: list[Callable[[Any], Any]] = [
    lambda payload: Opaque(check(payload, str)),
    lambda payload: None,
    _build_array,
    _build_scalar,
    _build_iterated,
]
_TAKE: dict[int, tuple[int, Callable[[Any], Any]]] = {}


def _kind(cls: type, take: Callable[[Any], Any], build: Callable[[Any], Any]) -> None:
    _TAKE[id(cls)] = (len(_BUILD), take)
    _BUILD.append(build)


_kind(type(Ellipsis), lambda value: 0, lambda payload: _pick(_CONSTANTS, payload))
_kind(type(NotImplemented), lambda value: 1, lambda payload: _pick(_CONSTANTS, payload))
_kind(type, _take_type, lambda payload: _pick(_TYPES, payload))
_kind(range, lambda r: (r.start, r.stop, r.step), lambda p: range(*_fields(p, int, int, int)))
_kind(slice, lambda s: (s.start, s.stop, s.step), lambda p: slice(*check(p, tuple)))
_kind(Fraction, _take_fraction, _build_fraction)
_kind(Decimal, _decimal_text, lambda payload: Decimal(check(payload, str)))
_kind(Counter, _pairs, _build_counts)
_kind(defaultdict, _pairs, lambda p: defaultdict(None, build_dict(*_fields(p, list, list))))
_kind(
    OrderedDict,
    lambda value: tuple(map(list, zip(*_ordered_items(value), strict=True))) or ([], []),
    _build_ordered,
)
_kind(deque, lambda d: list(deque.__iter__(d)), lambda payload: deque(check(payload, list)))
_kind(
    datetime.date,
    lambda d: (d.year, d.month, d.day),
    lambda p: datetime.date(*_fields(p, int, int, int)),
)
_kind(datetime.time, _take_time, _build_time)
_kind(datetime.datetime, _take_datetime, _build_datetime)
_kind(
    datetime.timedelta,
    lambda t: (t.days, t.seconds, t.microseconds),
    lambda p: datetime.timedelta(*_fields(p, int, int, int)),
)
_kind(memoryview, _take_memory, lambda payload: memoryview(check(payload, bytes)))
# Views of keys and of items compare as sets do, and to sets.
_kind(_VIEWS[0], list, lambda p: build_dict(check(p, list), p).keys())
_kind(_VIEWS[1], list, lambda p: dict(enumerate(check(p, list))).values())
_kind(_VIEWS[2], list, lambda p: build_dict(*_columns(p)).items())
_kind(_VIEWS[3], list, lambda p: OrderedDict(build_dict(check(p, list), p)).keys())
_kind(_VIEWS[4], list, lambda p: OrderedDict(enumerate(check(p, list))).values())
_kind(_VIEWS[5], list, lambda p: OrderedDict(build_dict(*_columns(p))).items())


def _columns(payload: Any) -> tuple[list, list]:
    for pair in check(payload, list):
        if len(check(pair, tuple)) != 2:
            raise PlainError("no pair")
    return [key for key, _ in payload], [value for _, value in payload]
