"""Programs of one behaviour did the same, and the digest depends on nothing but what they did."""

import collections
import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import textwrap
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from hm_metrics.verdict import FAIL, UNSCORED
from hm_tasks.sandbox.judging.behaviour import Fingerprints, digest_of
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.wire.plain import decode, encode
from tests.tasks.sandbox import plain_values

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of odd numbers


def fingerprint(value, **options) -> bytes:
    content = encode(value, **options)
    return Fingerprints().of(content, decode(content))


def turned(value):
    """The same value; sets and dicts are filled in another order."""
    if type(value) in (list, tuple):
        return type(value)(map(turned, value))
    if type(value) in (set, frozenset):
        return type(value)(reversed([turned(one) for one in value]))
    if type(value) is dict:
        return {turned(key): turned(its) for key, its in reversed(value.items())}
    return value


def test_a_value_has_one_fingerprint_whatever_the_order_of_sets_and_dicts():
    for seed in range(1500):
        one, same = (plain_values.value(random.Random(seed)) for _ in range(2))
        assert fingerprint(one) == fingerprint(turned(same)), one


def test_one_fingerprint_means_equal_outputs():
    found = collections.Counter()
    for number in range(3000):
        one = plain_values.value(random.Random(number))
        other = plain_values.near(
            random.Random(f"near {number}"), plain_values.value(random.Random(number))
        )
        if re.search(r"np\.|nan|NaN|array|object|iterator|<|values|Ordered", f"{one!r} {other!r}"):
            continue  # equal to nothing or element by element; see the list below
        alike = fingerprint(one) == fingerprint(other)
        equal = decode(encode(one)) == decode(encode(other))
        assert equal or not alike, (one, other)
        found[alike, equal] += 1
    assert min(found[True, True], found[False, False]) > 300, found
    # Those of rare types that are equal but count as two; see the module's docstring.
    assert found[False, True] < 50, found


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (1, 1.0, True),
        (1, True, True),
        ([1, 2], [1.0, Fraction(2)], True),
        (0.0, -0.0, True),
        (0.5, Decimal("0.5"), True),
        (np.float64(1.5), 1.5, True),
        (plain_values.MyList([1]), [1], True),
        (plain_values.Point(1, 2), (1, 2), True),
        (frozenset("ab"), {"b", "a"}, True),
        ([float("nan"), {"a", 1.0}], [np.nan, {1, "a"}], True),
        ([1j, {1: 2, "a": 3}], [1j, {"a": 3.0, 1.0: 2}], True),
        (Fraction(1, 3), Fraction(2, 6), True),
        (object(), object(), True),
        (0.1 + 0.2, 0.3, False),
        ([1], (1,), False),
        ("1", 1, False),
        ("a", b"a", False),
        (None, 0, False),
        ([], None, False),
        ([[1], [2]], [[1, 2]], False),
        ([float("nan"), 1], [float("nan"), 2], False),
        ({1: 2}, {2: 1}, False),
        (Fraction(1, 3), Fraction(1, 4), False),
        (np.array([1.0, 2.0]), np.array([[1.0], [2.0]]), False),
        (range(3), range(4), False),
        (object(), iter([]), False),
        (10**4000, 10**4000 + 1, False),
    ],
)
def test_what_counts_as_equal(one, other, alike):
    assert (fingerprint(one) == fingerprint(other)) == alike
    # As large outputs arrive: by a digest, where they have one.
    digested = [fingerprint(value, digest_above=0) for value in (one, other)]
    assert (digested[0] == digested[1]) == alike


def test_outputs_are_not_read_across_borders():
    a, b = fingerprint("a"), fingerprint("b")
    runs = [[([a, b], "x"), ([], "x")], [([a], "x"), ([b], "x")], [([], "x"), ([a, b], "x")]]
    runs += [[([a, b], "y"), ([], "x")], [([b, a], "x"), ([], "x")]]
    digests = [digest_of(run) for run in runs]
    assert len(set(digests)) == len(runs)
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in digests)


REFERENCE = "def f(x):\n    return x + 1\n"


def problem(dataset: str = "") -> Problem:
    return Problem("Mine/1", "", "f", REFERENCE, [[1]], [[5], [7]], 0, "none", dataset)


def function(body: str) -> str:
    return f"def f(x):\n    {body}\n"


def verdicts(texts: list[str], one: Problem | None = None, **options) -> list:
    options = {"isolation": "rlimit", "sanitize": False} | options
    return check_all([(one or problem(), texts)], **options)[0]


ALIKE = [
    {"right": function("return x + 1"), "in floats": function("return sum([x, 1.0])")},
    {"wrong at once": function("return 'a'")},
    {
        "wrong at the first extra test": function("return 2 if x == 1 else 'a'"),
        "and at the last in another way": function("return {1: 2, 5: 'a'}.get(x, 'b')"),
    },
    {"another wrong value": function("return 2 if x == 1 else 'c'")},
    {"wrong at the last": function("return 8.5 if x == 7 else x + 1")},
    {"raises": function("x / 0"), "from elsewhere": function("raise ZeroDivisionError('so')")},
    {"raises another": function("x + 'a'")},
    {"raises when loaded": "1 / 0"},
    {"not defined": "def g(x):\n    return x + 1\n"},
    {
        "out of time in the last test": function("while x == 7: pass\n    return x + 1"),
        "in the one before": function("while x == 5: pass\n    return x + 1"),
        "ends its process": function("import os; x > 1 and os._exit(0)\n    return 2"),
    },
]


def test_equal_outputs_and_equal_ends_are_one_behaviour_and_others_are_not():
    programs = {name: program for group in ALIKE for name, program in group.items()}
    found = dict(zip(programs, verdicts(list(programs.values())), strict=True))
    groups = collections.defaultdict(set)
    for name, verdict in found.items():
        groups[verdict.behaviour].add(name)
    assert list(groups.values()) == [set(group) for group in ALIKE]


def test_what_did_not_run_has_no_behaviour():
    broken = dataclasses.replace(problem(), canonical_solution="def f(x):\n    1 / 0\n")
    (unscored,) = verdicts([REFERENCE], broken)
    assert (unscored.base_status, unscored.behaviour) == (UNSCORED, "")
    (empty,) = verdicts([" "])
    assert (empty.base_status, empty.behaviour) == (FAIL, "")


def test_it_is_logged_and_kept_between_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    first = verdicts([REFERENCE], problem("a hash"))
    assert first[0].record()["behaviour"] == first[0].behaviour != ""
    monkeypatch.setattr("hm_tasks.sandbox.judging.judge.Judge.judge", None)
    assert verdicts([REFERENCE], problem("a hash")) == first


ORDERS = """
    import json, sys
    from hm_tasks.sandbox.pool import check_all
    from tests.tasks.sandbox.test_behaviour import function, problem
    bodies = ["return set(map(str, range(50)))", "return list(set(map(str, range(50))))",
              "return {str(n): float('nan') for n in set('abcdefgh')}", "return x + 1"]
    order = json.loads(sys.argv[1])
    texts = [function(bodies[n]) for n in order]
    (found,) = check_all([(problem(), texts)], isolation="rlimit", sanitize=False, n_workers=2)
    print(json.dumps({n: v.behaviour for n, v in zip(order, found)}))
"""


def test_it_is_the_same_in_each_process_and_order():
    found = set()
    for seed, order in (("1", "[0, 1, 2, 3]"), ("2", "[3, 1, 0, 2]")):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(ORDERS), order],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        behaviours = json.loads(done.stdout)
        assert len(set(behaviours.values())) == 4
        found.add(tuple(sorted(behaviours.items())))
    assert len(found) == 1
