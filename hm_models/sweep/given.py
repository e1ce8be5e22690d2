"""What is wrong with a setting of a sweep, said by its key.

>>> refuse_unknown(["alpahs"], ["alphas", "tasks"], "the sweep")
Traceback (most recent call last):
hm_models.sweep.given.SweepError: 'alpahs' is no key of the sweep. Did you mean alphas? Known: alphas, tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hm_models.errors import UsageError, did_you_mean

NEVER_EMPTY = ("alphas", "pairs", "methods", "samplers", "bases", "base_revisions")


class SweepError(UsageError, ValueError):
    """A sweep that cannot be run as asked; the message says what is wrong and how to mend it."""


def refuse_unknown(given: Iterable[Any], known: Iterable[str], where: str) -> None:
    """Raise SweepError for the first name that is not known, naming the nearest that is."""
    known = list(known)
    for name in given:
        if name not in known:
            raise SweepError(
                f"{name!r} is no key of {where}.{did_you_mean(name, known)} "
                f"Known: {', '.join(sorted(known))}."
            )


def mapping_of(key: str, given: object) -> dict[str, Any]:
    """Names and values, also as on a command line; else SweepError."""
    if isinstance(given, str):
        from lm_eval.utils import simple_parse_args_string

        try:
            return simple_parse_args_string(given)
        except ValueError:
            pass
    if not isinstance(given, Mapping):
        raise SweepError(f"{key}: expected names and values, got {given!r}.")
    return {str(name): value for name, value in given.items()}


def list_of(key: str, given: object) -> list[Any]:
    """A list, which one value alone stands for; else SweepError."""
    if isinstance(given, (str, int, float)):
        return [given]
    if not isinstance(given, (list, tuple)) or (not given and key in NEVER_EMPTY):
        raise SweepError(f"{key}: expected a list with at least one entry, got {given!r}.")
    return list(given)
