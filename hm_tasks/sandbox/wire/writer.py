"""Writes a value as columns: chunks of elements, sorted by type, each type's data in one piece.

>>> numpy, limit = NumpyTypes(), 1 << 20
>>> digest([1, {2, 3}], limit, numpy) == digest([True, {3, 2}], limit, numpy)
True

Built-in functions that work on whole columns do almost all of the work, which makes it fast where
outputs have millions of elements. It runs in the candidate's process, so it calls nothing that the
candidate can override; see `kinds`.

The canonical writing of a value is the same for all values that equal it, and so is its digest.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice, repeat
from math import isnan, nan
from operator import is_, itemgetter
from typing import Any

from hm_tasks.sandbox.wire import columns
from hm_tasks.sandbox.wire.codes import (
    BOOL,
    BYTEARRAY,
    BYTES,
    CANONICAL,
    CHUNK,
    CODES,
    COMPLEX,
    CYCLE,
    DEEP,
    DICT,
    FLOAT,
    FROZENSET,
    INT,
    KIND,
    LIST,
    MAX_DEPTH,
    MIXED,
    NESTING,
    NONE,
    OBJECT_COST,
    SET,
    STR,
    TUPLE,
    has_cycle,
)
from hm_tasks.sandbox.wire.kinds import (
    ARRAY,
    OPAQUE,
    NotCanonical,
    NumpyTypes,
    name_of,
    own_builtins,
    take_apart,
)

own_builtins(globals())

_TEXT, _INT, _BOOL, _FLOAT = map(id, (str, int, bool, float))
_EMPTY = ()  # the one tuple that is everywhere


class Overflow(Exception):
    """More bytes than allowed."""


class Writer:
    """Writes one value to `put`.

    Args:
        root: the value.
        limit: bytes after which `Overflow` is raised.
        canonical: whether to write the form that is common to equal values.
        floats: whether the canonical form may hold floats.
        simplify: makes of every element what is written in its place.
    """

    def __init__(
        self,
        put: Callable[[bytes], object],
        root: object,
        limit: int,
        numpy: NumpyTypes,
        canonical: bool = False,
        floats: bool = False,
        simplify: Callable[[Any], Any] | None = None,
    ) -> None:
        self._put, self._root, self._left, self._numpy = put, root, limit, numpy
        self._canonical, self._floats_too, self._simplify = canonical, floats, simplify
        self._codes = CANONICAL if canonical else CODES
        self._cyclic: bool | None = None

    def write(self, raw: bytes) -> None:
        """Write bytes as they are."""
        self._left -= len(raw)
        if self._left < 0:
            raise Overflow
        self._put(raw)

    def items(
        self,
        values: Iterator,
        count: int,
        depth: int = 0,
        above: tuple[frozenset[int], ...] = (),
    ) -> None:
        """Write `count` values; `above` has the identities of what they may be inside of."""
        while count > 0:
            chunk = list(islice(values, CHUNK if count > CHUNK else count))
            if not chunk:
                raise ValueError("it changes while it is written")
            count -= len(chunk)
            self._chunk(chunk, depth, above)

    def _chunk(self, chunk: list, depth: int, above: tuple[frozenset[int], ...]) -> None:
        first = type(chunk[0])
        alike = all(map(is_, map(type, chunk), repeat(first)))
        if self._canonical and (not alike or first is float or self._simplify is not None):
            chunk = self._canonical_elements(chunk)
            first = type(chunk[0])
            alike = all(map(is_, map(type, chunk), repeat(first)))
        if alike:
            code = self._codes.get(id(first), KIND)
            codes = None
        else:
            codes = bytes(map(self._codes.get, map(id, map(type, chunk)), repeat(KIND)))
            code = codes[0]
            if codes.count(code) == len(codes):  # types that share a code
                codes = None
        if codes is None:
            if code not in NESTING or not self._suspect(chunk, depth, above):
                self.write(bytes((code,)))
                self._column(code, chunk, depth, above)
                return
            codes = bytes((code,)) * len(chunk)
        if self._suspect(chunk, depth, above):
            codes = bytes(map(self._marked, chunk, codes, repeat(depth), repeat(above)))
        self.write(MIXED + codes)
        for code in sorted(set(codes)):
            column = [value for value, its in zip(chunk, codes, strict=True) if its == code]
            self._column(code, column, depth, above)

    def _canonical_elements(self, values: list) -> list:
        if self._simplify is not None:
            values = list(map(self._simplify, values))
        if _FLOAT not in map(id, map(type, values)):
            return values
        if not self._floats_too:
            raise NotCanonical
        # Whole floats equal integers.
        return [int(x) if type(x) is float and x.is_integer() else x for x in values]

    def _suspect(self, chunk: list, depth: int, above: tuple[frozenset[int], ...]) -> bool:
        if depth >= MAX_DEPTH:
            return True
        for level in above:
            if not level.isdisjoint(map(id, chunk)):
                # The same object may also just be there twice.
                if self._cyclic is None:
                    self._cyclic = has_cycle(self._root, self._numpy)
                return self._cyclic
        return False

    def _marked(self, value: Any, code: int, depth: int, above: tuple) -> int:
        if code not in NESTING:
            return code
        for level in above:
            if id(value) in level and value is not _EMPTY:
                return CYCLE
        return DEEP if depth >= MAX_DEPTH else code

    def _column(self, code: int, column: list, depth: int, above: tuple) -> None:
        if code == INT:
            columns.ints(self.write, column)
        elif code == STR:
            columns.texts(self.write, column)
        elif code in (LIST, TUPLE):
            self._nest(column, chain.from_iterable(column), depth, above)
        elif code == FLOAT:
            self._floats(column)
        elif code == BOOL:
            self.write(bytes(column))
        elif code == NONE:
            self.write(bytes(len(column)))  # nothing is free, so that sizes bound memory
        elif code in (BYTES, BYTEARRAY):
            columns.lengths(self.write, column)
            self.write(b"".join(column))
        elif code in (SET, FROZENSET):
            self._charge(column)
            ordered = [self._in_order(one, depth) for one in column] if self._canonical else column
            self._nest(column, chain.from_iterable(ordered), depth, above)
        elif code == DICT:
            self._charge(column)
            self._dicts(column, depth, above)
        elif self._canonical:
            raise NotCanonical  # complex numbers, kinds, cycles
        elif code == COMPLEX:
            flat = array("d")
            for number in column:
                flat.extend((number.real, number.imag))
            self.write(flat.tobytes())
        elif code == KIND:
            self._kinds(column, depth, above)
        else:
            self.write(bytes(len(column)))

    def _charge(self, column: list) -> None:
        self._left -= OBJECT_COST * len(column)

    def _nest(self, column: list, values: Iterator, depth: int, above: tuple) -> None:
        total = columns.lengths(self.write, column)
        self.items(values, total, depth + 1, (*above, frozenset(map(id, column))))

    def _floats(self, column: list) -> None:
        if not self._canonical:
            columns.floats(self.write, column, (nan, self._numpy.nan))
            return
        self.write(array("d", column).tobytes())
        if any(map(isnan, column)):
            raise NotCanonical

    def _dicts(self, column: list, depth: int, above: tuple) -> None:
        total = columns.lengths(self.write, column)
        inside = (*above, frozenset(map(id, column)))
        if not self._canonical:
            self.items(chain.from_iterable(column), total, depth + 1, inside)
            self.items(chain.from_iterable(map(dict.values, column)), total, depth + 1, inside)
            return
        keys, values = [], []
        for one in column:
            for key, original in self._sorted(one, depth):
                keys.append(key)
                values.append(dict.__getitem__(one, original))
        self.items(iter(keys), total, depth + 1, inside)
        self.items(iter(values), total, depth + 1, inside)

    def _in_order(self, elements: Iterable, depth: int) -> list:
        return [key for key, _ in self._sorted(elements, depth)]

    def _sorted(self, elements: Iterable, depth: int) -> list[tuple[Any, Any]]:
        """Canonical keys of hashable values, in an order of their own, each with its value."""
        values = self._canonical_elements(list(elements))
        types = set(map(id, map(type, values)))
        if types <= {_TEXT} or types <= {_INT, _BOOL}:
            values.sort()
            return list(zip(values, values, strict=True))
        pairs = [(self._digest(value, depth + 1), value) for value in values]
        pairs.sort(key=itemgetter(0))
        return pairs

    def _digest(self, value: object, depth: int) -> bytes:
        return digest(value, self._left, self._numpy, depth, self._floats_too, self._simplify)

    def _kinds(self, column: list, depth: int, above: tuple) -> None:
        numbers, payloads = bytearray(), []
        for value in column:
            number, payload = take_apart(value, self._numpy)
            if number == ARRAY and type(payload[2]) is self._numpy.ndarray:
                if payload[2].nbytes > self._left:  # may be a view of next to nothing
                    raise Overflow
                payload = (payload[0], payload[1], payload[2].tobytes())
            numbers.append(number)
            payloads.append(payload)
        self._charge(column)
        self.write(bytes(numbers))
        inside = (*above, frozenset(map(id, column)))
        self.items(iter(payloads), len(payloads), depth + 1, inside)


def digest(
    value: object,
    limit: int,
    numpy: NumpyTypes,
    depth: int = 0,
    floats: bool = False,
    simplify: Callable[[Any], Any] | None = None,
) -> bytes:
    """The SHA-256 of a value's canonical form.

    Raises:
        NotCanonical: there is none.
    """
    state = sha256()
    writer = Writer(state.update, value, limit, numpy, True, floats, simplify)
    writer.items(iter((value,)), 1, depth)
    return state.digest()


def opaque(value: object) -> bytes:
    """The encoding of a value of which only the class's name travels."""
    parts: list[bytes] = []
    writer = Writer(parts.append, None, 1 << 16, NumpyTypes())
    writer.write(bytes((KIND, OPAQUE)))
    writer.items(iter((name_of(value),)), 1)
    return b"".join(parts)
