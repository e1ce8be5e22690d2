"""Columns of elements that hold no others: lengths, texts, whole numbers, floats.

>>> small, large = [], []
>>> ints(small.append, [1, 2, 3])
>>> ints(large.append, [1, 2**70])  # one does not fit: their sizes, then the bytes of each
>>> list(map(len, small)), list(map(len, large))
([25], [9, 1, 9])

They run in the candidate's process, so they call nothing that the candidate can override; see
`kinds`. `write` takes bytes and counts them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TypeAlias

from hm_tasks.sandbox.wire.codes import SEPARATOR
from hm_tasks.sandbox.wire.kinds import own_builtins

own_builtins(globals())

Write: TypeAlias = Callable[[bytes], object]


def lengths(write: Write, column: list) -> int:
    """Write how long each element is; return how long they are together."""
    found = array("I", map(len, column))
    write(found.tobytes())
    return sum(found)


def texts(write: Write, column: list) -> None:
    """Write texts as one."""
    text = SEPARATOR.join(column)
    if text.count(SEPARATOR) == len(column) - 1:
        write(b"s")
    else:  # some hold the separator
        write(b"n")
        lengths(write, column)
        text = "".join(column)
    raw = text.encode("utf-8", "surrogatepass")
    write(array("Q", (len(raw),)).tobytes())
    write(raw)


def ints(write: Write, column: list) -> None:
    """Write whole numbers, eight bytes each where they all fit."""
    try:
        raw = array("q", column).tobytes()
    except OverflowError:
        sizes = [(value.bit_length() >> 3) + 1 for value in column]
        write(b"n" + array("I", sizes).tobytes())
        for value, size in zip(column, sizes, strict=True):
            write(value.to_bytes(size, "little", signed=True))
    else:
        write(b"q" + raw)


def floats(write: Write, column: list, known: tuple) -> None:
    """Write floats, and where the objects in `known` are among them.

    `[math.nan] == [math.nan]`: the one object that every program in a process gets.
    """
    write(array("d", column).tobytes())
    for one in known:
        places = array("I")
        if one is not None and one in column:
            places.extend(i for i, value in enumerate(column) if value is one)
        write(array("I", (len(places),)).tobytes() + places.tobytes())
