"""Which of a task's numbers the harness prints: `--metadata '{"table": ["pass@1", "token_entropy"]}'`, or all.

Left out, it is the task's headline numbers. Counts of what went wrong are printed wherever they are not 0.
Results, samples and reports have every number, whatever is printed (`hm_models.plugin.printed_rows`).

>>> printed({"table": None}, ["pass@1", "local_similarity"])["rows"]
['pass@1', 'local_similarity']
>>> few([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
[1, 5, 10]
>>> check({"table": ["pas@1"]})
Traceback (most recent call last):
hm_models.settings.ProtocolError: table: 'pas@1' is no number of this project (docs/metrics.md)...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hm_metrics import definitions
from hm_metrics.judgment import REASONS, TIE
from hm_models.settings import ProtocolError

ALL = "all"
UNLESS_ZERO = (
    *("unscored", "timeouts", "unread_answers", "beyond_limits", "empty_programs", "empty_answers"),
    *(definitions.UNFINISHED, definitions.VERBALIZED_UNREAD, "truncated_prompts"),
    *("left_out_questions", "unrated"),
    *(f"unscored_{reason}" for reason in (*REASONS, TIE)),
)


def check(metadata: dict[str, Any]) -> None:
    """Refuse names of no number; what is missing is written into the metadata as it is by default.

    A name may have its filter behind a comma, as `pass@1,strict-match`. It need not be this task's: one
    `--metadata` is for all tasks of a run.

    Raises:
        ProtocolError: a name, or anything else, that cannot be.
    """
    names = metadata.setdefault("table", None)
    if names in (None, ALL):
        return
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)) or not names:
        raise ProtocolError(
            f'table={names!r}: expected {ALL}, or names of numbers, as ["pass@1", "unscored"].'
        )
    for name in names:
        if not isinstance(name, str) or definitions.of(name) is None:
            raise ProtocolError(
                f"table: {name!r} is no number of this project (docs/metrics.md). Name some of those that "
                f"the results have, as pass@1 or n_samples, or write {ALL}."
            )
    metadata["table"] = list(names)


def printed(metadata: dict[str, Any], headline: Sequence[str]) -> dict[str, Any] | None:
    """What a task's config says of its table; None where all is printed.

    Args:
        metadata: checked.
        headline: the names that are printed where none are asked for.
    """
    asked = metadata["table"]
    if asked == ALL:
        return None
    rows = headline if asked is None else asked
    return {"rows": list(rows), "asked": asked is not None, "unless_zero": list(UNLESS_ZERO)}


def few(ks: Sequence[int]) -> list[int]:
    """At most three of the k, which are in order: the first, one in the middle and the last."""
    return list(dict.fromkeys([ks[0], ks[(len(ks) - 1) // 2], ks[-1]]))
