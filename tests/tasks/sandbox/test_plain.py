"""Every plain value arrives as it was; hostile values and hostile bytes do no harm."""

import builtins
import collections
import contextlib
import math
import os
import random
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import types
from pathlib import Path

import numpy as np
import pytest
from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
from evalplus.gen.util import trusted_exec

from hm_tasks.code_passk.dataset import Source, load_problems
from hm_tasks.sandbox.judging.oracle import Oracle
from hm_tasks.sandbox.wire import codes as plain_codes
from hm_tasks.sandbox.wire import columns as plain_columns
from hm_tasks.sandbox.wire import kinds as plain_kinds
from hm_tasks.sandbox.wire import plain
from hm_tasks.sandbox.wire import writer as plain_writer
from hm_tasks.sandbox.wire.plain import (
    MAX_BYTES,
    Digest,
    Opaque,
    PlainError,
    TooLarge,
    decode,
    encode,
)
from tests.tasks.sandbox import plain_values


def shape(value):
    """A value's types and contents, without any `==` of its own."""
    if type(value) is float:
        singleton = next((str(n) for n, it in enumerate((math.nan, np.nan)) if value is it), "")
        return "float", struct.pack("<d", value), singleton
    if type(value) is complex:
        return "complex", shape(value.real), shape(value.imag)
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, list(map(shape, value.ravel().tolist()))
    name = type(value).__name__
    if isinstance(value, dict):
        return name, [(shape(key), shape(its)) for key, its in value.items()]
    if isinstance(value, (set, frozenset)):
        return name, sorted(map(repr, map(shape, value)))
    if isinstance(value, (list, tuple, collections.deque)) or name.endswith(("keys", "items")):
        return name, list(map(shape, value))
    if "values" in name:
        return name, list(map(shape, value))
    if isinstance(value, memoryview):
        return name, bytes(value)
    return name, int.__repr__(value) if isinstance(value, int) else str(value)


def test_values_arrive_as_they_were():
    for seed in range(4000):
        value = plain_values.value(random.Random(seed))
        assert shape(decode(encode(value))) == shape(value), seed


def test_many_values_arrive_as_they_were():
    rng = random.Random(0)
    mixed = [plain_values.value(rng, 2) for _ in range(7_000)]
    for value in (
        mixed,
        [(x, str(x)) for x in range(7_000)],
        ["a\x1fb", *map(str, range(7_000))],
        [math.nan, 1.5, float("nan")] * 5_000,
        {x: [x] for x in range(7_000)},
        [2**70, *range(7_000)],
        [None] * 7_000,
    ):
        assert shape(decode(encode(value))) == shape(value)


def test_what_contains_itself_is_marked():
    one: list = [1]
    one.append(one)
    two: dict = {"a": ()}
    two["b"] = [two, ()]
    wide: list = []
    wide += [wide] * 3
    wrapped = plain_values.MyList([1])
    wrapped.append((wrapped,))
    for value in (one, two, wide, wrapped, [one, one]):
        got = decode(encode(value, digest_above=10))
        assert not isinstance(got, TooLarge)
        assert len(got) == len(value)
        with pytest.raises(RecursionError):  # as `value == value_like_it` would
            assert got == decode(encode(value))
    shared = [1]
    value = [shared, [shared, (shared, ())], ()]
    assert decode(encode(value)) == value


@pytest.mark.parametrize("make", [lambda v: [v], lambda v: (v,), lambda v: {1: v}])
def test_depth(make):
    def nested(depth):
        value = 1
        for _ in range(depth):
            value = make(value)
        return value

    assert decode(encode(nested(50))) == nested(50)
    for depth in (150, 100_000):
        value = nested(depth)
        assert decode(encode(value)) != nested(50)
        assert isinstance(decode(encode(value, digest_above=5)), (tuple, list, dict))
        while type(value) is not int:  # freed one by one, not by C recursion
            value = next(iter(value.values())) if type(value) is dict else value[0]


def test_frozen_sets_in_each_other():
    value = frozenset()
    for _ in range(3000):
        value = frozenset([value])
    assert isinstance(decode(encode(value, digest_above=5)), (frozenset, Opaque))


def test_too_large():
    for value in ("a" * 100, list(range(100)), {frozenset([n]) for n in range(50)}, 10**1000):
        assert isinstance(decode(encode(value, 100), 100), TooLarge)
    assert isinstance(decode(encode(np.broadcast_to(np.float64(1), (10**6, 10**6)))), TooLarge)
    assert isinstance(decode(encode(range(10**30))), range)
    doubled = [1]
    for _ in range(60):
        doubled = [doubled, doubled]
    assert isinstance(decode(encode(doubled, 10_000)), TooLarge)


# ---- hostile values ---------------------------------------------------------------------------


def lie(*_, **__):
    raise SystemExit("code of the program ran")


SLOTS = ["eq", "ne", "lt", "hash", "iter", "next", "len", "getitem", "contains", "getattribute"]
SLOTS += ["getattr", "reduce", "reduce_ex", "getstate", "str", "repr", "int", "index", "float"]
SLOTS += ["bool", "bytes", "complex", "format", "sizeof", "copy", "deepcopy", "add", "pos", "array"]
METHODS = ["keys", "values", "items", "copy", "encode", "to_bytes", "bit_length", "join"]
LIES = dict.fromkeys([*(f"__{name}__" for name in SLOTS), *METHODS], lie)


class Meta(type):
    armed = False

    def __getattribute__(cls, name):
        return lie() if Meta.armed else type.__getattribute__(cls, name)

    def __eq__(cls, other):
        return lie() if Meta.armed else cls is other

    def __hash__(cls):
        return lie() if Meta.armed else 1

    def __instancecheck__(cls, instance):
        return lie()


BASES = {int: 5, float: 1.5, str: "a", bytes: b"a", list: [1], tuple: (1,), dict: {1: 2}}
BASES |= {set: {1}, frozenset: {1}, complex: 1j, bytearray: b"a"}


def liar(base, *args):
    body = dict(LIES, __class__=property(lie))
    return base.__new__(Meta("Liar", (base,), body), *args)


def test_lying_subclasses_are_read_by_their_bases(monkeypatch):
    for base, content in BASES.items():
        mutable = base in (list, dict, set, bytearray)
        value = liar(base) if mutable else liar(base, content)
        if mutable:
            base.__init__(value, content)
        with monkeypatch.context() as patch:
            patch.setattr(Meta, "armed", True)
            data = [encode(value), encode([value, 1]), encode(value, digest_above=1)]
            data.append(encode(value, as_set=True))
        for got in (decode(data[0]), decode(data[1])[0], decode(data[2]), decode(data[3])):
            assert type(got).__name__ == "Liar"
            assert isinstance(got, base)
            assert got == base(content)


def test_other_liars_are_opaque(monkeypatch):
    value = liar(object)
    with monkeypatch.context() as patch:
        patch.setattr(Meta, "armed", True)
        data = encode([value, {"a": value}, type(value)]), encode(value, as_set=True)
    got = decode(data[0])
    assert [type(got[0]), type(got[1]["a"]), type(got[2])] == [Opaque] * 3
    assert type(decode(data[1])) is Opaque


def test_patched_builtins_and_recursion_limits_are_survived():
    program = """
        import sys
        from hm_tasks.sandbox.wire.plain import encode
        values = [[1, "a", (2.5, None), {3: {4}}, 2**70], dict(a=1).keys(), iter([1])]
        class Mine(list): pass
        values.append([Mine([1])])
        before = [encode(v, digest_above=30) for v in values]
        out = sys.stdout.buffer
        import builtins, collections, fractions, hashlib, itertools, array, decimal, types
        gone = SystemExit
        def broken(*_, **__): raise gone
        modules = [builtins, collections, hashlib, itertools, array, decimal, types, fractions]
        names = [(m, n) for m in modules for n in vars(m) if not n.startswith("__")]
        replace = setattr
        for module, name in names:
            replace(module, name, broken)
        fractions.Fraction = None
        sys.setrecursionlimit(12)
        sys.modules.pop("numpy", None)
        after = [encode(values[0], digest_above=30), encode(values[1], digest_above=30)]
        after += [encode(values[2], digest_above=30), encode(values[3], digest_above=30)]
        out.write(b"same" if before == after else b"other")
        out.flush()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, cwd=os.getcwd()
    )
    assert done.stdout == b"same", done.stderr[-2000:]


@pytest.mark.parametrize("module", [plain, plain_codes, plain_columns, plain_kinds, plain_writer])
def test_encoding_looks_up_no_builtin_that_could_have_been_replaced(module):
    own = [
        one for one in vars(module).values() if getattr(one, "__module__", "") == module.__name__
    ]
    methods = [method for one in own if isinstance(one, type) for method in vars(one).values()]
    functions = [one for one in [*own, *methods] if isinstance(one, types.FunctionType)]
    theirs = vars(builtins)
    looked_at = [one for one in functions if one.__name__ != "own_builtins"]
    assert len(looked_at) > 1
    for function in looked_at:
        assert function.__builtins__ is not theirs, function.__qualname__
        assert function.__builtins__["len"] is len


def test_encoding_does_not_load_numpy():
    program = "import sys; from hm_tasks.sandbox.wire import plain; plain.encode([1.5])"
    program += "; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# ---- hostile bytes ----------------------------------------------------------------------------


def try_to_decode(data: bytes) -> None:
    with contextlib.suppress(PlainError):
        decode(data)


def test_damaged_bytes_give_a_value_or_plain_error():
    rng = random.Random(3)
    tracemalloc.start()
    for seed in range(1500):
        good = encode(plain_values.value(rng), digest_above=rng.choice([None, 50]))
        for _ in range(4):
            bad = bytearray(good)
            for _ in range(rng.randint(1, 4)):
                bad[rng.randrange(len(bad))] = rng.choice([0, 1, 0xFF, rng.randrange(256)])
            try_to_decode(bytes(bad))
        try_to_decode(good[: rng.randrange(len(good))])
        try_to_decode(good + b"\0")
        try_to_decode(b"V" + rng.randbytes(rng.randint(0, 60)))
        head = rng.choice([b"Vl", b"Vx", b"Vk", b"Vd", b"VS", b"V*", b"D", b"L", b""])
        try_to_decode(head + rng.randbytes(seed % 40))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def forged(*parts: object) -> bytes:
    return b"V" + b"".join(p if isinstance(p, bytes) else struct.pack("<I", p) for p in parts)


def test_forged_bytes():
    big = 2**32 - 1
    same_hash = [n * (2**61 - 1) for n in range(20_000)]
    set_of = encode(same_hash)
    for data in (
        b"",
        b"V",
        forged(b"l", big, b"N"),
        forged(b"l", big, b"*"),
        forged(b"l", *[big, b"l"] * 1000),
        forged(b"l", 1) * 500,
        b"V" + b"l\1\0\0\0" * 5000,
        b"V" + b"k\1" * 5000,
        forged(b"s", b"n", big, b"\0" * 8),
        forged(b"y", big, b"a"),
        b"VS" + set_of[2:],
        encode({1: 2}).replace(b"i", b"l"),
    ):
        with pytest.raises(PlainError):
            decode(data)
    with pytest.raises(PlainError):
        decode(encode("a" * MAX_BYTES, 2 * MAX_BYTES))


def test_a_class_of_a_name_is_another_in_each_encoding():
    point = plain_values.Point(1.0, 2.0)
    first, second = decode(encode(point)), decode(encode(point))
    assert first == second == (1.0, 2.0)
    assert type(first) is not type(second)
    assert type(decode(encode([point, point]))[0]).__name__ == "Point"


# ---- benchmarks -------------------------------------------------------------------------------

MBPP = ("MBPP_OVERRIDE_PATH", "mbpp")
HUMANEVAL = ("HUMANEVAL_OVERRIDE_PATH", "humaneval")
HEAVY = "Mbpp/255"  # lists of a million tuples
MOST_INPUTS = 40  # of one problem, evenly spread: HumanEval+ has hundreds, some with megabytes


def problems(variable: str, oracle: str) -> list:
    if not os.environ.get(variable):
        pytest.skip(f"{variable} names no benchmark file")
    return load_problems(Source(file="-", override=variable, oracle=oracle), Path())[0]


def outputs(problem, inputs):
    not_none = problem.oracle == "mbpp" and problem.entry_point in MBPP_OUTPUT_NOT_NONE_TASKS
    code = problem.prompt + problem.canonical_solution
    return trusted_exec(code, inputs, problem.entry_point, output_not_none=not_none)


@pytest.mark.parametrize(
    ("variable", "oracle"),
    [
        pytest.param(*MBPP, marks=pytest.mark.campaign),
        pytest.param(*HUMANEVAL, marks=pytest.mark.engine),
    ],
)
def test_expected_values_match_themselves(variable, oracle):
    for problem in problems(variable, oracle):
        if problem.task_id == HEAVY:
            continue
        judge = Oracle(oracle, problem.entry_point, problem.atol)
        every = [*problem.base_input, *problem.plus_input]
        inputs = every[:: -(-len(every) // MOST_INPUTS)]
        for number, value in enumerate(outputs(problem, inputs)):
            data = encode(value)
            assert judge.matches(inputs[number], decode(data), decode(data)), problem.task_id


@pytest.mark.campaign
def test_the_largest_expected_values_match_by_digest():
    problem = next(one for one in problems(*MBPP) if one.task_id == HEAVY)
    digests = 0
    for single in [*problem.base_input, *problem.plus_input]:
        first, second = (
            decode(encode(outputs(problem, [single])[0], digest_above=plain.MAX_BYTES >> 4))
            for _ in range(2)
        )
        digests += isinstance(first, Digest)
        assert Oracle("mbpp", problem.entry_point, problem.atol).matches(single, first, second)
    assert digests
