"""Random programs whose outputs are nearly, or exactly, those of a random reference solution."""

from __future__ import annotations

import random

PRELUDE = """\
import collections, datetime, math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from enum import Enum, IntEnum
import numpy as np
Point = namedtuple("Point", "x y")
Color = IntEnum("Color", "RED GREEN")
Mood = Enum("Mood", "GOOD BAD")
class Plain:
    def __init__(self, x=1): self.x = x
class MyList(list): pass
class MyFloat(float): pass
def recursive(kind=list):
    one = [1]
    one.append(one)
    return one if kind is list else {"me": one}
"""
ATOMS = ["None", "True", "False", "0", "1", "-1", "7", "10**40", "-2**63", "2**64", "10**4000"]
ATOMS += ["0.0", "-0.0", "1.0", "1.5", "1 / 3", "1e300", "math.inf", "1e-7", "0.1 + 0.2", "0.3"]
ATOMS += ["math.nan", "float('nan')", "np.nan", "1j", "2 + 0j", "complex('nan')"]
ATOMS += ["''", "'a'", "'héllo'", "'\\ud800'", "b'a'", "bytearray(b'a')", "'ab' * 50"]
RARE = ["Fraction(1, 3)", "Fraction(2)", "Decimal('1.10')", "Decimal('NaN')", "Counter('aab')"]
RARE += ["Counter(a=0)", "OrderedDict(a=1, b=2)", "defaultdict(int, {1: 2})", "deque([1, 2.5])"]
RARE += [
    "np.array([1, 2])",
    "np.array([1.0, 2.0])",
    "np.float64(1.5)",
    "np.int64(7)",
    "np.bool_(1)",
]
RARE += ["np.array([[1.0], [2.0]])", "np.array(['a'])", "np.zeros((0, 2))", "np.float32(0.1)"]
RARE += ["Point(1, 2.0)", "Color.RED", "Mood.GOOD", "Plain()", "Plain", "int", "MyList([1.0])"]
RARE += [
    "MyFloat(1.5)",
    "(n for n in [1, 2])",
    "iter([1])",
    "map(str, [1])",
    "range(3)",
    "lambda: 1",
]
RARE += ["recursive()", "recursive(dict)", "datetime.date(2020, 1, 2)", "{1: 2}.keys()", "..."]
RARE += ["memoryview(b'ab')", "slice(1)", "print('said') or 1"]
FAILURES = ["1 / 0", "[][1]", "exec('raise KeyError')", "exec('raise SystemExit')", "int('x')"]


def value(rng: random.Random, depth: int = 2) -> str:
    """The expression of a random value."""
    chance = rng.random()
    if depth == 0 or chance < 0.35:
        return rng.choice(ATOMS)
    if chance < 0.55:
        return rng.choice(RARE)
    parts = [value(rng, depth - 1) for _ in range(rng.choice([0, 1, 2, 2, 3]))]
    kind = rng.choice(["list", "list", "tuple", "dict", "set", "floats"])
    if kind == "floats":
        return f"[{', '.join(str(rng.uniform(-9, 9)) for _ in range(3))}]"
    if kind == "list":
        return f"[{', '.join(parts)}]"
    if kind == "tuple":
        return f"({''.join(part + ', ' for part in parts)})"
    atoms = [rng.choice([atom for atom in ATOMS if "bytearray" not in atom]) for _ in parts]
    if kind == "set":
        return f"{rng.choice(['set', 'frozenset'])}([{', '.join(atoms)}])"
    return f"{{{', '.join(f'{key}: {part}' for key, part in zip(atoms, parts, strict=True))}}}"


def near(rng: random.Random, expression: str) -> str:
    """An expression whose value is nearly the one of another."""
    small = rng.choice(["1e-5", "1e-6", "5e-7", "1e-8", "-1e-7"])
    return rng.choice(
        [
            f"list({expression})",
            f"tuple({expression})",
            f"({expression}) + {small}",
            f"({expression}) * (1 + {small})",
            f"float({expression})",
            f"complex({expression})",
            f"np.array({expression})",
            f"type({expression})({expression})",
            f"[x + {small} for x in {expression}]",
            f"[float(x) for x in {expression}]",
            f"set({expression})",
            f"dict({expression})",
            f"str({expression})",
            f"MyList({expression})",
            f"({expression})[::-1]",
            f"[{expression}]",
            f"iter({expression})",
        ]
    )


def reference(rng: random.Random, n_inputs: int) -> list[str]:
    """For each input 0, 1, ... the expression that is right."""
    return [value(rng) for _ in range(n_inputs)]


def program(rng: random.Random, right: list[str]) -> list[str]:
    """The expressions of a program that is right, or nearly, or fails at some input."""
    mine = list(right)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        place = rng.randrange(len(mine))
        mine[place] = rng.choices(
            [near(rng, mine[place]), value(rng), rng.choice(FAILURES)], [6, 2, 1]
        )[0]
    return mine


def source(name: str, expressions: list[str]) -> str:
    """The text of a function that gives one of the values, by the number of its input."""
    cases = ", ".join(f"lambda: {expression}" for expression in expressions)
    return f"{PRELUDE}\ndef {name}(number):\n    return [{cases}][number]()\n"
