"""Reads what `writer` wrote, from bytes that may be forged.

>>> seven = b"iq" + (7).to_bytes(8, "little")
>>> Reader(seven, objects=0).items(1)
[7]
>>> Reader(seven, objects=0).items(2**40)  # as a forged length would have it
Traceback (most recent call last):
    ...
hm_tasks.sandbox.wire.kinds.PlainError: the data end too early

Nothing is made before the bytes that it needs have been seen: every element costs at least one, so
the length of the data bounds memory and time.
"""

from __future__ import annotations

import math
from array import array
from itertools import accumulate, pairwise
from typing import Any

from hm_tasks.sandbox.wire import codes
from hm_tasks.sandbox.wire.build import Builder, build_dict, build_set
from hm_tasks.sandbox.wire.kinds import CYCLE, ITERATED, Opaque, PlainError


class Reader:
    """Reads values from `data`; anything malformed raises PlainError or another Exception.

    Args:
        objects: sets, dicts and kinds that there may be.
        kinds: whether there may be any but basic types.
    """

    def __init__(self, data: bytes, objects: int, kinds: bool = True) -> None:
        self._kinds = kinds
        self._data, self._at, self._objects = memoryview(data), 0, objects
        self._builder = Builder()

    def take(self, count: int) -> memoryview:
        """The next bytes as they are."""
        if not 0 <= count <= len(self._data) - self._at:
            raise PlainError("the data end too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise PlainError("there are bytes after the value")

    def items(self, count: int, depth: int = 0) -> list:
        """The next `count` values."""
        if count > len(self._data) - self._at:
            raise PlainError("the data end too early")
        if depth > codes.MAX_DEPTH + 1:
            raise PlainError("nested too deeply")
        values: list = []
        while len(values) < count:
            values += self._chunk(min(codes.CHUNK, count - len(values)), depth)
        return values

    def _chunk(self, count: int, depth: int) -> list:
        first = bytes(self.take(1))
        if first != codes.MIXED:
            return self._column(first[0], count, depth)
        kinds = bytes(self.take(count))
        columns = {
            kind: iter(self._column(kind, kinds.count(kind), depth)) for kind in sorted(set(kinds))
        }
        return [next(columns[kind]) for kind in kinds]

    def _column(self, code: int, count: int, depth: int) -> list:
        if code in codes.NESTING or code == codes.KIND:
            return self._nested(code, count, depth)
        if code == codes.NONE:
            self.take(count)
            return [None] * count
        if code == codes.BOOL:
            return [byte != 0 for byte in self.take(count)]
        if code == codes.INT:
            return self._ints(count)
        if code == codes.FLOAT:
            return self._floats(count)
        if code == codes.COMPLEX:
            flat = self._array("d", 2 * count)
            return [complex(flat[i], flat[i + 1]) for i in range(0, 2 * count, 2)]
        if code == codes.STR:
            return self._texts(count)
        if code in (codes.BYTES, codes.BYTEARRAY):
            lengths = self._array("I", count)
            raw = _split(bytes(self.take(sum(lengths))), lengths)
            return raw if code == codes.BYTES else list(map(bytearray, raw))
        if code in (codes.DEEP, codes.CYCLE):
            self.take(count)
            what = "nested too deeply" if code == codes.DEEP else CYCLE
            return [Opaque(what) for _ in range(count)]
        raise PlainError("an unknown code")

    def _array(self, kind: str, count: int) -> list:
        values = array(kind)
        values.frombytes(self.take(count * values.itemsize))
        return values.tolist()

    def _texts(self, count: int) -> list[str]:
        separated = bytes(self.take(1)) == b"s"
        lengths = [] if separated else self._array("I", count)
        (size,) = self._array("Q", 1)
        text = str(self.take(size), "utf-8", "surrogatepass")
        if separated:
            if text.count(codes.SEPARATOR) != count - 1:
                raise PlainError("another number of texts")
            return text.split(codes.SEPARATOR)
        if sum(lengths) != len(text):
            raise PlainError("text of another length")
        return _split(text, lengths)

    def _ints(self, count: int) -> list[int]:
        if bytes(self.take(1)) == b"q":
            return self._array("q", count)
        sizes = self._array("I", count)
        return [int.from_bytes(self.take(size), "little", signed=True) for size in sizes]

    def _floats(self, count: int) -> list[float]:
        values = self._array("d", count)
        for name in ("math", "numpy"):
            (many,) = self._array("I", 1)
            if not many:
                continue
            if name == "math":
                known = math.nan
            else:
                import numpy

                known = numpy.nan
            for place in self._array("I", many):
                if place >= count or values[place] == values[place]:
                    raise PlainError("no NaN there")
                values[place] = known
        return values

    def _nested(self, code: int, count: int, depth: int) -> list:
        if code not in (codes.LIST, codes.TUPLE):
            self._objects -= count
            if self._objects < 0:
                raise PlainError("too many objects")
        if code == codes.KIND:
            if not self._kinds:
                raise PlainError("another kind")
            numbers = bytes(self.take(count))
            if depth and ITERATED in numbers:
                raise PlainError("only a whole value is iterated over")
            return list(map(self._builder.build, numbers, self.items(count, depth + 1)))
        lengths = self._array("I", count)
        total = sum(lengths)
        if code in (codes.LIST, codes.TUPLE):
            return _pieces(self.items(total, depth + 1), lengths, code == codes.TUPLE)
        lists = _split(self.items(total, depth + 1), lengths)
        if code == codes.DICT:
            return list(map(build_dict, lists, _split(self.items(total, depth + 1), lengths)))
        sets = map(build_set, lists)
        return list(sets) if code == codes.SET else list(map(frozenset, sets))


def _split(whole: Any, lengths: list[int]) -> list:
    """Cut into pieces of these lengths."""
    return [whole[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]


def _pieces(values: list, lengths: list[int], tuples: bool) -> list:
    """Cut into lists or tuples of these lengths."""
    if lengths and 0 < lengths[0] == min(lengths) == max(lengths):
        same = zip(*[iter(values)] * lengths[0], strict=True)  # many times as fast
        return list(same) if tuples else list(map(list, same))
    lists = _split(values, lengths)
    return list(map(tuple, lists)) if tuples else lists
