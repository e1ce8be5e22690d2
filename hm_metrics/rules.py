"""A rule that chooses: "pass@10 subject to fulfillment_rate<=0.35", read and checked.

    >>> rule = Rule.parse("local_similarity subject to pass@10>=0.5 and fulfillment_rate<0.35")
    >>> rule.higher_is_better, [str(limit) for limit in rule.constraints]
    (False, ['pass@10>=0.5', 'fulfillment_rate<0.35'])

Which way is better follows from the number (`hm_metrics.definitions`); `max` or `min` before its name
says otherwise.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Mapping

import numpy as np

from hm_metrics import definitions
from hm_models.errors import did_you_mean

OPERATORS: dict[str, Callable] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
RULE = re.compile(
    r"\s*(?:(?P<direction>max|min)\s+)?(?P<metric>[^\s<>=]+)(?:\s+subject\s+to\s+(?P<constraints>.+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
CONSTRAINT = re.compile(r"\s*(?P<metric>[^\s<>=]+)\s*(?P<operator><=|>=|<|>)\s*(?P<limit>\S+)\s*")
# After a limit alone: a number's name may have a comma, as `exact_match,strict-match`.
BETWEEN = re.compile(r"([<>]=?\s*[^\s,<>=]+)(?:\s+and\s+|\s*,\s*)", re.IGNORECASE)
MOST_LISTED = 40  # with more, a message lists those of wrapped tasks' headlines alone
EXAMPLE = (
    'expected "METRIC subject to METRIC<=NUMBER", as "pass@10 subject to fulfillment_rate<=0.35"'
)


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A number that must stay on one side of a limit.

    Attributes:
        operator: <=, <, >= or >.
    """

    metric: str
    operator: str
    limit: float

    def holds(self, value: float | np.ndarray) -> np.ndarray:
        """Whether it does; a number that is not there (nan) holds nothing."""
        return np.asarray(OPERATORS[self.operator](value, self.limit))

    def __str__(self) -> str:
        return f"{self.metric}{self.operator}{self.limit:g}"


@dataclasses.dataclass(frozen=True)
class Rule:
    """The candidate with the best `metric` among those that satisfy all `constraints`."""

    metric: str
    higher_is_better: bool
    constraints: tuple[Constraint, ...] = ()

    @classmethod
    def parse(
        cls,
        text: str,
        known: Mapping[str, bool | None] | None = None,
        also: Mapping[str, str] | None = None,
    ) -> Rule:
        """Read "[max|min] METRIC [subject to METRIC<=NUMBER [and METRIC>NUMBER ...]]".

        Args:
            known: the metrics that there are, and whether more of each is better; None accepts any name.
            also: other names of these metrics, which are understood as well.

        Raises:
            ValueError: the text is no such rule, a limit no number, or a metric unknown.
        """
        found = RULE.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is no rule: {EXAMPLE}.")
        metric = _checked(found["metric"], known, also or {})
        direction = (found["direction"] or "").lower()
        higher = direction == "max" if direction else _higher_is_better(metric, known)
        parts = BETWEEN.sub(r"\1\n", found["constraints"] or "").split("\n")
        constraints = tuple(
            _constraint(part, text, known, also or {}) for part in parts if part.strip()
        )
        return cls(metric, higher, constraints)

    def __str__(self) -> str:
        limits = " and ".join(map(str, self.constraints))
        return self.metric + (f" subject to {limits}" if limits else "")


def _higher_is_better(metric: str, known: Mapping[str, bool | None] | None) -> bool:
    """As who measured it says, else as we define it; more is better of what nobody speaks of."""
    if known and known[metric] is not None:
        return bool(known[metric])
    definition = definitions.of(metric.rpartition(":")[2])  # without the task
    return definition is None or definition.higher_is_better is not False


def _constraint(
    part: str, text: str, known: Mapping[str, bool | None] | None, also: Mapping[str, str]
) -> Constraint:
    found = CONSTRAINT.fullmatch(part)
    if not found:
        raise ValueError(f"{part.strip()!r} in {text!r} is no constraint: {EXAMPLE}.")
    try:
        limit = float(found["limit"])
    except ValueError:
        limit = np.nan
    if not np.isfinite(limit):
        raise ValueError(f"the limit {found['limit']!r} in {text!r} is no number: {EXAMPLE}.")
    return Constraint(_checked(found["metric"], known, also), found["operator"], limit)


def _checked(metric: str, known: Mapping[str, bool | None] | None, also: Mapping[str, str]) -> str:
    if known is None or metric in known:
        return metric
    if metric in also:
        return also[metric]
    of_tasks = [name for name in known if name.endswith(f":{metric}")]
    if len(of_tasks) > 1:
        raise ValueError(
            f"{metric!r} is a number of several tasks: {', '.join(of_tasks)}. Name one."
        )
    hint = did_you_mean(metric, [*known, *also])
    plain = [name for name in known if not re.search("[,/]", name)]
    shown = plain if len(known) > MOST_LISTED else list(known)
    listed = ", ".join(sorted(shown)) or "none"
    more = len(known) - len(shown)
    others = (
        f", and {more} of other metrics and filters (leaderboard.csv names all)" if more else ""
    )
    raise ValueError(f"no number is called {metric!r}.{hint} There are: {listed}{others}.")
