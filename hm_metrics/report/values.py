"""One number of a report, with its interval.

>>> found = mean_value(np.array([1.0, 0.5, np.nan, 0.75]), better=True)
>>> found.value, found.questions, round(found.error, 3)
(0.75, 3, 0.144)
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from hm_metrics import estimates
from hm_metrics.intervals import interval, mean_interval

COSINES = (-1.0, 1.0)
ROUNDING = 1e-5


@dataclasses.dataclass(frozen=True)
class Value:
    """One number.

    Attributes:
        value: nan where it is unscored.
        error: standard error, nan where it is not known.
        low, high: 95 % interval; nan without an error.
        questions: how many have a value.
        of_each: [G] by question of the log; None where only the whole is known.
        higher_is_better: None for a number without a good side.
    """

    value: float
    error: float
    low: float
    high: float
    questions: int | None
    of_each: np.ndarray | None
    higher_is_better: bool | None


def make_value(
    value: float | None,
    error: float | None,
    questions: int | None,
    of_each: np.ndarray | None,
    better: bool | None,
    bounds: tuple[float, float] | None = None,
) -> Value:
    """A number with its interval from its standard error; `bounds` are those of the number."""
    known = math.nan if value is None else value
    spread = math.nan if error is None else error
    low, high = interval(known, spread, bounds=bounds)
    if of_each is not None:
        questions = int((~np.isnan(of_each)).sum())
    return Value(known, spread, low, high, questions, of_each, better)


def mean_value(
    of_each: np.ndarray, better: bool | None, bounds: tuple[float, float] | None = (0.0, 1.0)
) -> Value:
    """The mean over the questions that have a value; `bounds` are those of the values."""
    value, spread = estimates.estimate(of_each), estimates.error(of_each)
    if bounds is not None:
        inside = np.clip(of_each, *bounds)
        # Cosines of equal float32 rows exceed 1 by rounding; what is further out has other bounds.
        rounded = np.nanmax(np.abs(of_each - inside), initial=0.0) < ROUNDING
        of_each, bounds = (inside, bounds) if rounded else (of_each, None)
    low, high = mean_interval(of_each, bounds=bounds)
    questions = int((~np.isnan(of_each)).sum())
    return Value(value, spread, low, high, questions, of_each, better)
