"""What a program did, as a short digest: programs of one behaviour gave equal outputs and ended alike.

>>> seen = Fingerprints()
>>> seen.of(b"1", 1) == seen.of(b"1.0", 1.0), seen.of(b"1", 1) == seen.of(b"[1]", [1])
(True, False)
>>> one, other = [([seen.of(b"1", 1)], RETURNED)], [([seen.of(b"1", 1)], WRONG)]
>>> digest_of(one) == digest_of(other)  # the same output, and another end
False

The judge makes it of the outputs that it compares anyway (`hm_tasks.sandbox.judging.judge`). Two outputs
have one fingerprint only if they are equal as plain data: `True`, `1` and `1.0` are (as for `==` and
so for every test), a list and a tuple are not, sets and dicts are whatever their order, a subclass's
instance is its base's value. `0.1 + 0.2` and `0.3` are two, although a test with a tolerance takes
both. All NaNs are alike, and so are all objects of one class that is no plain data, and all outputs
too large to travel. What is equal only across rare types (an array and a list, `Counter(a=0)` and
`Counter()`) may count as two.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

from hm_tasks.sandbox.wire.build import simplify
from hm_tasks.sandbox.wire.kinds import NotCanonical
from hm_tasks.sandbox.wire.plain import Digest, Iterated, Opaque, canonical_digest

# Words for how one kind of tests ended, beside "raised NAME" and "does not load NAME".
RETURNED, WRONG, OUT_OF_TIME, FORGED = "returned", "wrong", "out of time", "forged"
BROKE_RUNNER = "broke the runner"
HEX_DIGITS = 16
MOST_KNOWN = 100_000  # fingerprints that are kept for a problem
LONGEST_TAKEN_APART = 1 << 16  # bytes of an output without canonical form that is looked into


class Fingerprints:
    """Fingerprints of one problem's outputs; its programs mostly give the same ones."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def of(self, content: bytes, value: Any) -> bytes:
        """The fingerprint, 32 bytes, of an output: its encoding, and the value decoded from it."""
        key = sha256(content).digest()
        if key not in self._known:
            self._add(key, _fingerprint(value, key, len(content)))
        return self._known[key]

    def keep(self, content: bytes, fingerprint: bytes) -> None:
        """Know the fingerprint that a fork of this process has found."""
        self._add(sha256(content).digest(), fingerprint)

    def _add(self, key: bytes, fingerprint: bytes) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = fingerprint


def digest_of(runs: Iterable[tuple[list[bytes], str]]) -> str:
    """The behaviour of a program: for each kind of tests its outputs' fingerprints and its end.

    Where time ran out only that counts, not how far the program came: a busy machine may not tell
    two programs apart that an idle one does not.
    """
    whole = sha256()
    for fingerprints, end in runs:
        given = [] if end == OUT_OF_TIME else fingerprints
        part = sha256(b"".join(given) + sha256(end.encode()).digest())
        whole.update(part.digest())
    return whole.hexdigest()[:HEX_DIGITS]


def _fingerprint(value: Any, raw: bytes, size: int) -> bytes:
    if isinstance(value, Digest):
        return value.sha
    try:
        return canonical_digest(value)
    except NotCanonical:
        if size > LONGEST_TAKEN_APART:
            return raw
    except Exception:  # made up to raise it: its bytes are its own
        return raw
    try:
        return _taken_apart(value)
    except Exception:
        return raw


def _taken_apart(value: Any) -> bytes:
    """The fingerprint of something that holds NaNs, numbers of other kinds, objects or the like."""
    with contextlib.suppress(NotCanonical):
        value = simplify(value)
    if isinstance(value, (set, frozenset)):
        return _join("set", sorted(map(_taken_apart, value)))
    if isinstance(value, dict):
        items = sorted((_taken_apart(key), _taken_apart(its)) for key, its in value.items())
        return _join("dict", [part for item in items for part in item])
    inner = _inner(value)
    if inner is not None:
        name, parts = inner
        return _join(name, list(map(_taken_apart, parts)))
    return _join(_leaf(value), [])


def _inner(value: Any) -> tuple[str, Iterable] | None:
    """The name of a container, and what is in it, in its order."""
    if isinstance(value, (list, tuple, deque)):
        return type(value).__name__, value
    if isinstance(value, Iterated):
        return f"iterated {value.what}", value
    if isinstance(value, (range, slice)):
        return type(value).__name__, (value.start, value.stop, value.step)
    if isinstance(value, Fraction):
        return "Fraction", (value.numerator, value.denominator)
    if type(value).__name__ in ("dict_values", "odict_values"):
        return "values", value
    if hasattr(value, "ndim") and value.ndim:
        return f"array {value.shape}", value.ravel().tolist()
    return None


def _leaf(value: Any) -> str:
    if isinstance(value, Opaque):
        return f"{type(value).__name__} {value.what}"
    if isinstance(value, int):
        return f"number {hex(value)}"  # of any length, in time that grows with it
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        return f"number {hex(int(value)) if value.is_integer() else value.hex()}"
    if isinstance(value, complex):
        return f"complex {complex.__repr__(value)}"
    if isinstance(value, bytearray):
        value = bytes(value)
    if isinstance(value, Decimal) and value.is_nan():
        return "nan"
    return f"{type(value).__name__} {value!r}"


def _join(name: str, parts: list[bytes]) -> bytes:
    own = sha256(name.encode("utf8", "surrogatepass")).digest()
    return sha256(own + b"".join(parts)).digest()
