"""The codes of plain data's basic types, and the search for values that contain themselves.

>>> inside, twice = [], [1]
>>> inside.append(inside)
>>> has_cycle([twice, twice], NumpyTypes()), has_cycle([inside], NumpyTypes())
(False, True)

The writer and the reader share the codes; as in `kinds`, the builtins are this module's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hm_tasks.sandbox.wire.kinds import ARRAY, NumpyTypes, own_builtins, take_apart

own_builtins(globals())

CHUNK = 1 << 16
MAX_DEPTH = 100  # so that reading needs no deeper stack than Python allows
OBJECT_COST = 64  # what a set, a dict or a kind counts for beside its bytes: they need more memory

NONE, BOOL, INT, FLOAT, COMPLEX, STR, BYTES, BYTEARRAY = b"NbifcsyY"
LIST, TUPLE, SET, FROZENSET, DICT, KIND, DEEP, CYCLE = b"ltSzdkxo"
MIXED = b"*"
SEPARATOR = "\x1f"  # of texts, which rarely hold it
NESTING = frozenset((LIST, TUPLE, SET, FROZENSET, DICT, KIND))

CODES: dict[int, int] = {
    id(type(None)): NONE,
    id(bool): BOOL,
    id(int): INT,
    id(float): FLOAT,
    id(complex): COMPLEX,
    id(str): STR,
    id(bytes): BYTES,
    id(bytearray): BYTEARRAY,
    id(list): LIST,
    id(tuple): TUPLE,
    id(set): SET,
    id(frozenset): FROZENSET,
    id(dict): DICT,
}
# Equal values of different types: one code for both.
CANONICAL = CODES | {id(bool): INT, id(bytearray): BYTES, id(frozenset): SET}


def has_cycle(root: object, numpy: NumpyTypes) -> bool:
    """Whether a value contains itself somewhere, found without recursion."""
    path: set[int] = set()
    done: set[int] = set()
    kept = []  # payloads are made for this; none may be freed, as another would get its identity
    stack: list[tuple[int, Iterator]] = [(0, iter((root,)))]
    while stack:
        above, children = stack[-1]
        for value in children:
            inner = _children(value, numpy)
            if inner is None or id(value) in done:
                continue
            if id(value) in path:
                return True
            kept.append(value)
            path.add(id(value))
            stack.append((id(value), iter(inner)))
            break
        else:
            stack.pop()
            path.discard(above)
            done.add(above)
    return False


def _children(value: Any, numpy: NumpyTypes) -> list | None:
    code = CODES.get(id(type(value)), KIND)
    if code not in NESTING:
        return None
    if code == DICT:
        return [*dict.keys(value), *dict.values(value)]
    if code != KIND:
        return list(value)
    number, payload = take_apart(value, numpy)
    return [] if number == ARRAY and payload[2] is value else [payload]
