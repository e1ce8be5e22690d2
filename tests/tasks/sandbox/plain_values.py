"""Random values of every kind that a program may return, and values that are nearly the same."""

import collections
import datetime
import math
import random
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction

import numpy as np

Point = collections.namedtuple("Point", "x y")
Color = IntEnum("Color", "RED GREEN")
Mood = Enum("Mood", "GOOD BAD")


class MyList(list):
    pass


class MyStr(str):
    __slots__ = ()


class MyInt(int):
    pass


class MyDict(dict):
    pass


class MyFloat(float):
    pass


FLOATS = [0.0, -0.0, 1.0, 1.5, -2.25, 1e300, 5e-324, math.inf, -math.inf, 1 / 3, 1e-7, 1e7 + 0.5]
INTS = [0, 1, -1, 2, 7, 255, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**64), 10**40, 10**7]
TEXTS = ["", "a", "b", "héllo", "\ud800", "\ud800\udc00", "𝄞", "0", "ab" * 20, "\0"]


def scalar(rng: random.Random):
    return rng.choice(
        [
            lambda: None,
            lambda: rng.random() < 0.5,
            lambda: rng.choice(INTS),
            lambda: rng.randint(-5, 5),
            lambda: rng.choice(FLOATS),
            lambda: rng.choice([math.nan, float("nan"), np.nan]),
            lambda: rng.uniform(-10, 10),
            lambda: complex(rng.choice(FLOATS), rng.choice(FLOATS)),
            lambda: rng.choice(TEXTS),
            lambda: rng.choice(TEXTS),
            lambda: rng.choice([b"", b"a", b"\xff\0"]),
        ]
    )()


def odd(rng: random.Random):
    """A value of a rarer type; equal ones compare as equal."""
    n = rng.randint(-3, 3)
    return rng.choice(
        [
            lambda: bytearray(b"a" * abs(n)),
            lambda: range(n),
            lambda: range(n, n + 2),
            lambda: slice(n, None),
            lambda: Ellipsis,
            lambda: NotImplemented,
            lambda: rng.choice([int, str, list, type(None)]),
            lambda: Fraction(n, 3),
            lambda: Decimal(n) / 4,
            lambda: Decimal(rng.choice(["NaN", "-0", "Infinity", "1E+5"])),
            lambda: collections.Counter("aab"[: abs(n)]),
            lambda: collections.Counter(a=n),
            lambda: collections.OrderedDict.fromkeys("abc"[: abs(n)]),
            lambda: collections.defaultdict(list, {n: [n]}),
            lambda: collections.deque([n, 1.5]),
            lambda: datetime.date(2020, 1, 4 + n),
            lambda: datetime.datetime(2020, 1, 4 + n, 5),
            lambda: datetime.time(4 + n),
            lambda: datetime.timedelta(days=n),
            lambda: memoryview(b"ab"),
            lambda: dict.fromkeys("abc"[: abs(n)]).keys(),
            lambda: {n: n}.items(),
            lambda: {n: n}.values(),
            lambda: collections.OrderedDict(a=n).keys(),
            lambda: np.array([n, 1.5]),
            lambda: np.array([[n, 1], [2, 3]]),
            lambda: np.array(n > 0),
            lambda: np.array(["a", "bc"]),
            lambda: np.array([None, n], dtype=object),
            lambda: np.zeros((0, 3)),
            lambda: np.float64(n),
            lambda: np.float32(1.1),
            lambda: np.int64(n),
            lambda: np.bool_(n > 0),
            lambda: np.complex128(n),
            lambda: Point(n, 1.0),
            lambda: Point(float(n), 1.0),
            lambda: Color.RED,
            lambda: MyList([n]),
            lambda: MyList([float(n)]),
            lambda: MyStr("a"),
            lambda: MyInt(n),
            lambda: MyDict({n: 1}),
            lambda: MyFloat(n),
        ]
    )()


def hashable(rng: random.Random, depth: int):
    if depth > 0 and rng.random() < 0.3:
        return tuple(hashable(rng, depth - 1) for _ in range(rng.randint(0, 3)))
    return scalar(rng)


def value(rng: random.Random, depth: int = 3):
    """A random value; the same state of `rng` gives an equal one of other objects."""
    chance = rng.random()
    if depth == 0 or chance < 0.25:
        return scalar(rng)
    if chance < 0.4:
        return odd(rng)
    size = rng.choice([0, 1, 2, 3, 3, 8])
    if chance < 0.6:  # columns of one type
        make = rng.choice(
            [
                lambda: rng.uniform(-9, 9),
                lambda: float(rng.randint(-3, 3)),
                lambda: rng.randint(-5, 5),
                lambda: rng.choice(INTS),
                lambda: rng.choice(TEXTS),
                lambda: (rng.randint(0, 2), rng.choice(TEXTS)),
                lambda: [],
            ]
        )
        return rng.choice([list, tuple])(make() for _ in range(size))
    kind = rng.choice(["list", "list", "tuple", "set", "frozenset", "dict", "wrapped"])
    if kind in ("set", "frozenset"):
        elements = [hashable(rng, depth - 1) for _ in range(size)]
        return set(elements) if kind == "set" else frozenset(elements)
    if kind == "dict":
        return {hashable(rng, 1): value(rng, depth - 1) for _ in range(size)}
    elements = [value(rng, depth - 1) for _ in range(size)]
    if kind == "wrapped":
        return rng.choice([MyList, collections.deque, list, tuple])(elements)
    return elements if kind == "list" else tuple(elements)


OPAQUE = [
    lambda: object(),
    lambda: lambda: 1,
    lambda: iter([1, 2]),
    lambda: (n for n in [1, "a"]),
    lambda: map(str, [1, 2]),
    lambda: zip([1], [2], strict=True),
    lambda: Mood.GOOD,
]


def near(rng: random.Random, original):
    """Something that is nearly the value, or equal to it in another type."""
    kind = type(original)
    if rng.random() < 0.05:
        return rng.choice(OPAQUE)()
    if rng.random() < 0.05:
        return value(rng, 2)
    if kind in (list, tuple) and original:
        change = rng.randrange(7)
        if change == 0:
            return (tuple if kind is list else list)(original)
        if change == 1:
            return original[:-1]
        if change == 2:
            return rng.choice([MyList, collections.deque, iter])(original)
        if change == 3 and all(type(x) in (int, float) for x in original):
            return np.array(original)
        if change == 4:
            return kind(reversed(original))
        place = rng.randrange(len(original))
        return kind([*original[:place], near(rng, original[place]), *original[place + 1 :]])
    if kind is float:
        return rng.choice(
            [
                original + rng.choice([1e-5, 1e-6, 5e-7, 1e-8, -1e-7]),
                original * (1 + rng.choice([1e-6, 1e-7, 9e-8, 1e-9])),
                np.float64(original),
                np.float32(original),
                MyFloat(original),
                -original,
                complex(original),
                [original],
                int(original) if math.isfinite(original) else None,
            ]
        )
    if kind is int:
        return rng.choice(
            [
                original + 1,
                MyInt(original),
                Fraction(original),
                Decimal(original),
                bool(original),
                str(original),
                float(original),
                complex(original),
                original if abs(original) >= 2**63 else np.int64(original),
            ]
        )
    if kind is bool:
        return rng.choice([int, float, np.bool_, str, lambda it: not it])(original)
    if kind is str:
        return rng.choice([MyStr(original), original + " ", list(original), np.str_("a")])
    if kind is bytes:
        return rng.choice([bytearray, memoryview, list])(original)
    if kind in (set, frozenset):
        makes = [set, frozenset, list, lambda it: dict.fromkeys(it).keys(), lambda it: {*it, "new"}]
        return rng.choice(makes)(original)
    if kind is dict:
        items = list(original.items())
        return rng.choice(
            [
                lambda: dict(reversed(items)),
                lambda: collections.OrderedDict(reversed(items)),
                lambda: collections.defaultdict(int, original),
                lambda: MyDict(original),
                lambda: dict(items[1:]),
                lambda: {key: near(rng, its) for key, its in items},
                lambda: original.keys(),
            ]
        )()
    return value(rng, 1) if rng.random() < 0.5 else original
