"""What plain data can hold beside Python's basic types, and how it is taken apart.

>>> _, payload = take_apart(Fraction(1, 3), NumpyTypes())
>>> number, name = take_apart(object(), NumpyTypes())  # no plain data: its class's name alone travels
>>> payload, number == OPAQUE, name
((1, 3), True, 'object')

A value of one of these kinds travels as the kind's number and a payload of basic values, from which
`build` makes it again. This runs in the candidate's process, where every method of a Python
class may be overridden and every builtin replaced: only exact types are trusted, the rest is read
by the base class's own slots, and all names are this module's own since it was imported
(`own_builtins`).
"""

from __future__ import annotations

import builtins
import datetime
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any


def own_builtins(names: dict[str, Any]) -> None:
    """Give the functions that a module defines from now on builtins of their own, which nobody can replace.

    Source: What's New In Python 3.10, of `__builtins__` of functions.

    Args:
        names: the module's `globals()`.
    """
    names["__builtins__"] = dict(vars(builtins))


own_builtins(globals())

OPAQUE, SUBCLASS, ARRAY, NUMPY_SCALAR, ITERATED, FIRST_TYPE = range(6)  # then those of `_TAKE`
FRACTION_BITS = 1 << 16  # the greatest common divisor of longer numbers takes too long
HEAP_TYPE = 1 << 9  # set in `__flags__` of classes that a `class` statement made
NAME_LENGTH = 100
CYCLE = "contains itself"  # of an Opaque


class PlainError(ValueError):
    """Bytes that are no encoded value."""


class NotCanonical(Exception):
    """The value holds something whose equality is not that of a canonical form."""


class Opaque:
    """Stands for a value that does not travel: not None, and equal to nothing.

    Of two values that contain themselves it cannot be told: comparing them raises RecursionError.
    """

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Opaque):
            if self.what == other.what == CYCLE:
                raise RecursionError  # as comparing the values themselves would
            return False
        # An array compares element by element, to whatever it is compared.
        return NotImplemented

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
_deque_iter = deque.__iter__
_whole = slice(None)

_views = [{}.keys(), {}.values(), {}.items()]
_ordered: OrderedDict = OrderedDict()
_views += [_ordered.keys(), _ordered.values(), _ordered.items()]
VIEWS = [type(view) for view in _views]
TYPES = [bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict]
TYPES += [
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


def _pairs(value: dict) -> tuple[list, list]:
    return list(dict.keys(value)), list(dict.values(value))


# A subclass's instance travels as the value of its base: the base's own slots make the copy.
BASES: list[tuple[type, Callable[[Any], Any]]] = [
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


_NUMBERED_BASES = tuple(zip(range(len(BASES)), BASES, strict=True))


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


_NUMBERED_TYPES = tuple(zip(range(len(TYPES)), TYPES, strict=True))


def _take_time(value: Any) -> tuple | None:
    parts = (value.hour, value.minute, value.second, value.microsecond, value.fold)
    return None if value.tzinfo is not None else parts


def _take_datetime(value: Any) -> tuple | None:
    time = _take_time(value)
    return None if time is None else (value.year, value.month, value.day, *time)


def _take_memory(value: memoryview) -> bytes | None:
    return value.tobytes() if value.format == "B" and value.ndim == 1 else None


_TAKE_BY_TYPE: dict[type, Callable[[Any], Any]] = {
    type(Ellipsis): lambda value: 0,
    type(NotImplemented): lambda value: 0,
    type: _take_type,
    range: lambda value: (value.start, value.stop, value.step),
    slice: lambda value: (value.start, value.stop, value.step),
    Fraction: _take_fraction,
    Decimal: _decimal_text,
    Counter: _pairs,
    defaultdict: _pairs,
    OrderedDict: lambda v: tuple(map(list, zip(*_ordered_items(v), strict=True))) or ([], []),
    deque: lambda value: list(_deque_iter(value)),
    datetime.date: lambda value: (value.year, value.month, value.day),
    datetime.time: _take_time,
    datetime.datetime: _take_datetime,
    datetime.timedelta: lambda value: (value.days, value.seconds, value.microseconds),
    memoryview: _take_memory,
    **dict.fromkeys(VIEWS, list),
}
TAKEN_APART = list(_TAKE_BY_TYPE)
# By identity, as a class's own metaclass decides on its hash.
_TAKE = {
    id(cls): (FIRST_TYPE + number, take) for number, (cls, take) in enumerate(_TAKE_BY_TYPE.items())
}
