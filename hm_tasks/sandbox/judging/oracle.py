"""Whether an output is right: evalplus 0.3.1's rules, on values that come from other processes.

evalplus compares in the process that runs the program. Here the comparison is the same, in the same
order, as the order has effects: once an expected value was a float, later tests have a tolerance,
and an exception on the way there keeps it from being set.

    >>> judge = Oracle("none", "f", 0.0)
    >>> judge.matches([1], 0.1 + 0.2, 0.3), judge.matches([1], (1, 2), [1, 2])
    (True, False)
"""

from __future__ import annotations

from typing import Any

from hm_tasks.sandbox.judging.stated import as_json, same_text
from hm_tasks.sandbox.problem import APPS, JSON, TEXTS
from hm_tasks.sandbox.wire.build import crowded

ROOT_PROBLEM = "find_zero"
MOST_COMPARED = 50_000_000  # numpy would need gigabytes, evalplus's children have four
MOST_ITERATED = 10_000_000


class Oracle:
    """Judges one program's outputs for one list of tests, in the order of the tests.

    Args:
        oracle: whose special rules apply: `mbpp`, `humaneval`, `none`, or, for outputs that a file
            states, one of `hm_tasks.sandbox.problem`.
        entry_point: name of the function under test.
        atol: absolute tolerance of the problem.
    """

    def __init__(self, oracle: str, entry_point: str, atol: float) -> None:
        self._oracle, self._entry_point, self._atol = oracle, entry_point, atol

    def matches(self, inputs: list, out: Any, expected: Any) -> bool:
        """Whether evalplus counts this output as right; `inputs` are the function's arguments.

        The tolerance may grow with it, so it is called for each test whose program returned.
        """
        try:
            return self._matches(inputs, out, expected)
        except Exception:
            return False

    def _matches(self, inputs: list, out: Any, expected: Any) -> bool:
        if self._oracle in TEXTS:
            return same_text(out, expected, self._oracle, self._atol)
        exact = out == expected
        if self._oracle in (JSON, APPS):
            return self._stated(as_json(out), as_json(expected))
        if self._oracle == "mbpp":
            exact = self._mbpp(exact, inputs, out, expected)
        if self._oracle == "humaneval" and self._entry_point == ROOT_PROBLEM:
            from evalplus.eval._special_oracle import _poly

            # evalplus 0.3.1 has this rule but forgets to note that the test passed.
            return bool(abs(_poly(*inputs, out)) <= self._atol)
        return self._tolerant(exact, out, expected)

    def _tolerant(self, exact: Any, out: Any, expected: Any) -> bool:
        from evalplus.eval import is_floats

        if self._atol == 0 and is_floats(expected):
            self._atol = 1e-6
        if not exact and self._atol != 0:
            return self._close(out, expected)
        return bool(exact)

    def _stated(self, out: Any, expected: Any) -> bool:
        if self._tolerant(out == expected, out, expected):
            return True
        if self._oracle != APPS or not isinstance(expected, list) or len(expected) != 1:
            return False
        return self._tolerant(out == expected[0], out, expected[0])

    def _mbpp(self, exact: Any, inputs: list, out: Any, expected: Any) -> Any:
        from evalplus.eval import _special_oracle as special

        name = self._entry_point
        if name == "are_equivalent":
            return exact or True
        if name == "sum_div":
            return exact or out == 0
        if name == "surface_Area":
            return exact or abs(out - special._surface_Area(*inputs)) <= self._atol
        if name == "digit_distance_nums":
            return exact or out == special._digit_distance_nums(*inputs)
        if name in special.MBPP_OUTPUT_SET_EQ_TASKS:
            return _as_set(out) == _as_set(expected)
        if name in special.MBPP_OUTPUT_NOT_NONE_TASKS:
            return out == expected if isinstance(out, bool) else expected == (out is not None)
        return exact

    def _close(self, out: Any, expected: Any) -> bool:
        import numpy

        if type(out) is not type(expected):
            return False
        if isinstance(expected, (list, tuple)) and len(out) != len(expected):
            return False
        if _has_text(out) or _has_text(expected):
            return False  # numpy raises an error, but would first make room for it
        if isinstance(out, range) and len(out) > MOST_ITERATED:
            return False
        if isinstance(out, (list, tuple, range, numpy.ndarray)):
            pairs = numpy.broadcast(numpy.asanyarray(out), numpy.asanyarray(expected))
            if pairs.size > MOST_COMPARED:
                return False
        return bool(numpy.allclose(out, expected, rtol=1e-07, atol=self._atol))


def _as_set(value: Any) -> set:
    """`set(value)`, where that ends."""
    if isinstance(value, range) and len(value) > MOST_ITERATED:
        raise MemoryError
    values = list(value)
    if crowded(values):
        raise MemoryError
    return set(values)


def _has_text(value: Any) -> bool:
    """Whether there is text in it, of which numpy would make an array as wide as the longest."""
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, (str, bytes, bytearray)):
            return True
        if isinstance(top, (list, tuple)):
            stack += top
    return False
