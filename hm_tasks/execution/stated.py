"""Comparing outputs with what a file of problems states, where no benchmark has rules of its own.

    as_json((1, {2: 3}))                        # [1, {"2": 3}]
    close_text("0.3333\\n1", "0.33333\\n1", 1e-3)

Three oracles (`hm_tasks.execution.oracle`): `json` for values that came as JSON, which has no tuples
and no keys but text; `apps` also takes the only item of a list for the list, since files in APPS's form
wrap results or do not, and its evaluation takes both (testing_util.py of hendrycks/apps); `stdout` for
text.
"""

from __future__ import annotations

from typing import Any

JSON, APPS, STDOUT = "json", "apps", "stdout"


def as_json(value: Any) -> Any:
    """The value with lists in place of tuples, and text for the keys of dicts, at every depth."""
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(key): as_json(its) for key, its in value.items()
        }
    return value


def close_text(out: Any, expected: Any, atol: float) -> bool:
    """Whether two texts agree word by word, numbers up to `atol` (absolute or relative).

    Args:
        atol: 0 for no tolerance at all.
    """
    if not atol or not isinstance(out, str) or not isinstance(expected, str):
        return False
    given, wanted = out.split(), expected.split()
    return len(given) == len(wanted) and all(
        one == other or _close(one, other, atol) for one, other in zip(given, wanted, strict=True)
    )


def _close(one: str, other: str, atol: float) -> bool:
    try:
        given, wanted = float(one), float(other)
    except ValueError:
        return False
    return abs(given - wanted) <= atol * max(1.0, abs(wanted))
