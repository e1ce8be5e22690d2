"""What is cheap to send and dear to compare ends as the program's failure, and the judge goes on."""

import resource
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from hm_tasks.sandbox.judging import comparer
from hm_tasks.sandbox.judging.behaviour import Fingerprints
from hm_tasks.sandbox.judging.comparer import Comparer
from hm_tasks.sandbox.judging.limited import BeyondLimits, LimitedFork
from hm_tasks.sandbox.judging.oracle import Oracle
from hm_tasks.sandbox.wire.plain import DIGEST_ABOVE, encode

GIB = 1 << 30
PRIME = 2**61 - 1  # whole numbers that differ by it have one hash


def deep(depth: int, width: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return [value] * width


BOMBS = {
    "numbers with huge exponents": lambda: [Decimal("9E9998")] * 100_000,
    "a set of numbers with huge exponents": lambda: {
        Decimal(f"1E{9000 + number % 999}") + number for number in range(3000)
    },
    "keys with huge exponents": lambda: dict.fromkeys(
        (Decimal(f"{n}E9990") for n in range(1, 20000)), 1
    ),
    "a number of 16 million digits": lambda: Decimal("1." + "3" * 4_000_000 + "1"),
    "wide texts many times over": lambda: [np.array([""], "<U16000000")] * 25,
    "wide bytes many times over": lambda: [np.array([b""], "|S60000000")] * 25,
    "huge ranges beside floats": lambda: [range(10**7)] * 20,
    "one huge range": lambda: range(10**12),
    "numbers of one hash": lambda: {
        group + one * PRIME for group in range(1, 100) for one in range(999)
    },
    "fractions of long numbers": lambda: [Fraction((1 << 65535) - 1, (1 << 65534) + 1)] * 500,
    "an array against a list": lambda: np.zeros((1 << 23, 1), "i1"),
    "deep lists": lambda: deep(90, 2_000),
    "counters of counters": lambda: [Counter({Decimal(f"{n}E9990"): n}) for n in range(1, 20000)],
    "a queue of wide texts": lambda: deque([np.array([""], "<U16000000")] * 25),
}


@pytest.fixture
def limits(monkeypatch):
    """Less time than is allowed, so that these tests take less, too."""
    monkeypatch.setattr(comparer, "SECONDS", 0.5)
    monkeypatch.setattr(comparer, "SECONDS_PER_MIB", 0.1)


LIST, SET = [1.0] * 20, {1, 2}


@pytest.mark.parametrize(
    ("name", "expected"),
    [*((name, LIST) for name in BOMBS), ("deep lists", SET), ("numbers of one hash", SET)],
)
def test_a_bomb_of_plain_data_is_not_right_and_the_judge_goes_on(limits, name, expected):
    content = encode(BOMBS[name](), digest_above=DIGEST_ABOVE)
    entry_point, oracle = (
        ("f", "none") if isinstance(expected, list) else ("similar_elements", "mbpp")
    )
    before = resource.getrusage(resource.RUSAGE_SELF)
    with Comparer(Oracle(oracle, entry_point, 0), [[1]], [expected], Fingerprints()) as comparing:
        try:
            right, _ = comparing.compare(0, content)
        except BeyondLimits:
            right = False
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert not right
    # All of the work was a fork's.
    assert after.ru_utime - before.ru_utime < 1
    assert after.ru_maxrss - before.ru_maxrss < 200_000


VALUES = [
    *(0, -(1 << 70), True, None, 0.5, "text", b"bytes", 1j, float("nan")),
    *([1, 2], (1, (2, [3])), {1, 2}, {"a": [1.5]}, [[]] * 3, ["x" * 5000] * 10, list(range(9999))),
    *(Counter("aab"), OrderedDict(a=1), deque([1]), range(5), Decimal("0.1"), Fraction(1, 3)),
    *(np.float64(2), np.array([1.0, 2.0]), np.array(["a", "bc"]), {1: 2}.keys(), slice(1, 2)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_compared_in_a_fork_or_not_an_output_has_one_verdict_and_one_fingerprint(
    value, monkeypatch
):
    """Each beside expected values that it equals and that it does not."""
    found = []
    for direct in (1 << 30, 0):
        monkeypatch.setattr(comparer, "DIRECT_BYTES", direct)
        expected = [value, [value], 1.5, value]
        one = Comparer(Oracle("none", "f", 0), [[1]] * 4, expected, Fingerprints())
        with one as comparing:
            found.append([comparing.compare(test, encode(value)) for test in range(4)])
    assert found[0] == found[1]


def test_a_tolerance_lives_on_where_a_later_output_needs_a_fork():
    expected = [0.5, [1.0], 2.0, 3.0]
    outputs = [0.5, Decimal(7), 2.0 + 1e-9, 3.0 + 1e-9]
    with Comparer(Oracle("none", "f", 0), [[1]] * 4, expected, Fingerprints()) as comparing:
        found = [comparing.compare(test, encode(out))[0] for test, out in enumerate(outputs)]
    assert found == [True, False, True, True]


def test_all_outputs_of_a_run_together_have_a_limit(monkeypatch):
    monkeypatch.setattr(comparer, "RUN_SECONDS", 0.0)
    with Comparer(Oracle("none", "f", 0), [[1]] * 2, [1, 1], Fingerprints()) as comparing:
        comparing.compare(0, encode(1))
        with pytest.raises(BeyondLimits, match="time"):
            comparing.compare(1, encode(1))


def test_a_fork_answers_until_it_takes_too_much_or_crashes():
    import ctypes

    def work(what: str) -> object:
        if what == "time":
            while True:
                pass
        if what == "time in C":
            return pow(3, 10**9)
        if what == "memory":
            return len(bytearray(4 * GIB))
        return ctypes.string_at(0) if what == "crash" else what

    with LimitedFork(work) as fork:
        assert [fork.ask(word, 5.0, GIB) for word in ("a", "b")] == ["a", "b"]
    for what in ("time", "time in C", "memory", "crash"):
        with LimitedFork(work) as fork, pytest.raises(BeyondLimits, match=r"time|memory"):
            fork.ask(what, 0.3, GIB // 2)
