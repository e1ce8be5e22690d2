"""Values as plain bytes, from the process that runs a program to the one that judges it.

>>> decode(encode([1, {2.5}, "x", print]))
[1, {2.5}, 'x', <Opaque builtin_function_or_method>]
>>> decode(encode("x" * 1000, max_bytes=100))
<TooLarge value>

The program's process can send whatever it likes, so this is no pickle: decoding makes values of
known types only and neither imports nor runs what the data name. Numbers, text, containers and a
list of standard types (`kinds`) arrive as what they were. An instance of a subclass arrives
as its base's value in a class of its own; what does not travel arrives as an `Opaque`.

    value    = "V" column of one element
    digest   = "D" length, SHA-256, kind
    large    = "L"
    elements = chunks of 65536: one code and its column, or "*", all codes and all columns
    column   = the elements' data in one piece; containers: lengths, then all their elements
"""

from __future__ import annotations

import struct
from itertools import islice
from sys import getrecursionlimit, setrecursionlimit
from typing import Any

from hm_tasks.sandbox.wire import codes as _codes
from hm_tasks.sandbox.wire import writer as _writer
from hm_tasks.sandbox.wire.kinds import (
    ITERATED,
    OPAQUE,
    Iterated,
    NotCanonical,
    NumpyTypes,
    Opaque,
    PlainError,
    TooLarge,
    name_of,
    own_builtins,
    take_apart,
)

own_builtins(globals())

__all__ = [
    "DIGEST_ABOVE",
    "Digest",
    "Iterated",
    "Opaque",
    "PlainError",
    "TooLarge",
    "canonical_digest",
    "decode",
    "encode",
]

MAX_BYTES = 1 << 24
DIGEST_ABOVE = 1 << 20  # bytes of an output of a program beyond which its digest travels
DIGESTED_BYTES = 1 << 31  # what is hashed at most
STACK = 10 * _codes.MAX_DEPTH  # frames that writing needs
_DEEPEST = 1 << 30  # near to what Python can count
_LARGE = b"L"
_UNSIZED = (type(None), bool, int, float)
_HEAD = struct.Struct("<Q32s")


class Digest:
    """Stands for a value by the SHA-256 of what all values equal to it have in common."""

    __slots__ = ("kind", "length", "sha")

    def __init__(self, kind: str, length: int, sha: bytes) -> None:
        self.kind, self.length, self.sha = kind, length, sha

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Digest):
            return self.sha == other.sha
        try:
            return self.sha == canonical_digest(other)
        except NotCanonical:
            return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Digest of a {self.kind} of {self.length}>"


def canonical_digest(value: Any) -> bytes:
    """The SHA-256 that all decoded values equal to this one have in common.

    Raises:
        NotCanonical: there is none, as for NaN, and for objects that are no plain data.
    """
    from hm_tasks.sandbox.wire.build import simplify

    try:
        return _writer.digest(value, DIGESTED_BYTES, NumpyTypes(), 0, True, simplify)
    except _writer.Overflow:
        raise NotCanonical from None


def encode(
    value: object,
    max_bytes: int = MAX_BYTES,
    *,
    as_set: bool = False,
    digest_above: int | None = None,
) -> bytes:
    """Return a value as bytes for `decode`. Never raises for a value's sake.

    Args:
        max_bytes: a longer encoding is replaced by a `TooLarge`.
        as_set: the value is for `set(...)`: iterables that do not travel are iterated over. They
            are the only case in which code of the value's own classes runs.
        digest_above: a longer encoding is replaced by a `Digest`, if the value's equality is that
            of a canonical form: no kinds, and floats only above `max_bytes`, as nothing is close
            to a digest. Not used for `as_set`.
    """
    limit = getrecursionlimit()
    try:
        # The program may have left next to nothing, or be deep in its own.
        setrecursionlimit(max(limit, min(limit + STACK, _DEEPEST)))
        return _encode(value, max_bytes, as_set, digest_above)
    except (_writer.Overflow, NotCanonical, MemoryError):
        return _LARGE
    except Exception:  # it changes while it is written, or worse
        return b"V" + _writer.opaque(value)
    finally:
        try:  # noqa: SIM105 - `suppress` is code that may be patched
            setrecursionlimit(limit)
        except RecursionError:  # it is lower than where we are
            pass


def _encode(value: Any, max_bytes: int, as_set: bool, digest_above: int | None) -> bytes:
    numpy = NumpyTypes()
    if as_set:
        digest_above = None
        value, iterated = _iterate(value, max_bytes, numpy)
        if iterated is not None:
            return iterated
    first = max_bytes if digest_above is None or digest_above > max_bytes else digest_above
    try:
        return _whole(value, first, numpy)
    except _writer.Overflow:
        if digest_above is None:
            raise
    try:
        sha = _writer.digest(value, DIGESTED_BYTES, numpy)
    except NotCanonical:
        try:
            return _whole(value, max_bytes, numpy)
        except _writer.Overflow:
            # Nothing is close to a digest: better than nothing, where floats are too many to send.
            sha = _writer.digest(value, DIGESTED_BYTES, numpy, 0, True)
    length = 0 if type(value) in _UNSIZED else len(value)  # one of the types with a code
    return b"D" + _HEAD.pack(length, sha) + name_of(value).encode("ascii")


def _whole(value: object, limit: int, numpy: NumpyTypes) -> bytes:
    parts = [b"V"]
    _writer.Writer(parts.append, value, limit, numpy).items(iter((value,)), 1)
    return b"".join(parts)


def _iterate(value: Any, max_bytes: int, numpy: NumpyTypes) -> tuple[Any, bytes | None]:
    """What stands for a value of which a set is made, or its whole encoding."""
    if id(type(value)) in _codes.CODES or take_apart(value, numpy)[0] != OPAQUE:
        return value, None
    try:
        # An element takes a byte or more.
        values = list(islice(iter(value), max_bytes + 1))
    except BaseException:  # as `set` would have raised it, to be caught where its result is judged
        return value, b"V" + _writer.opaque(value)
    if len(values) > max_bytes:
        return value, _LARGE
    parts = [b"V"]
    writer = _writer.Writer(parts.append, values, max_bytes, numpy)
    writer.write(bytes((_codes.KIND, ITERATED)))
    writer.items(iter(((name_of(value), values),)), 1, 1)
    return value, b"".join(parts)


def decode(data: bytes, max_bytes: int = MAX_BYTES, *, kinds: bool = True) -> Any:
    """Return the value that was encoded, or what stands for it.

    Args:
        kinds: whether it may hold more than Python's basic types, which are cheap to read and compare.

    Raises:
        PlainError: the data are no encoding of at most `max_bytes`, whatever else they are.
    """
    from hm_tasks.sandbox.wire.reader import Reader

    if data == _LARGE:
        return TooLarge("value")
    if len(data) > max_bytes + 1:
        raise PlainError("longer than allowed")
    try:
        if data[:1] == b"D":
            length, sha = _HEAD.unpack(data[1 : 1 + _HEAD.size])
            return Digest(data[1 + _HEAD.size :][:100].decode("ascii"), length, sha)
        reader = Reader(data, max_bytes // _codes.OBJECT_COST, kinds)
        if bytes(reader.take(1)) != b"V":
            raise PlainError("no encoded value")
        (value,) = reader.items(1)
        reader.end()
        return value
    except PlainError:
        raise
    except Exception as error:  # from the types that the data are made into
        raise PlainError(f"{type(error).__name__} in the data") from None
