"""Settings of tasks that cannot be used, refused before a model is loaded.

>>> number({"max_unscored": 0.05}, "max_unscored", least=0.0, most=1.0)
0.05
>>> whole_number({"n_samples": 0}, "n_samples")
Traceback (most recent call last):
hm_models.settings.ProtocolError: n_samples=0: expected a whole number above 0.
"""

from __future__ import annotations

import math
from typing import Any

from hm_models.errors import UsageError


class ProtocolError(UsageError, ValueError):
    """A setting of a task that cannot be used; raised before any model is loaded."""


def whole_number(metadata: dict[str, Any], name: str) -> int:
    """A setting that must be a whole number above 0.

    Raises:
        ProtocolError: it is not.
    """
    value = metadata[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ProtocolError(f"{name}={value!r}: expected a whole number above 0.")
    return value


def number(
    metadata: dict[str, Any],
    name: str,
    above: float = -math.inf,
    least: float = -math.inf,
    most: float = math.inf,
) -> float:
    """A setting that must be a finite number within bounds.

    Raises:
        ProtocolError: it is not.
    """
    value = metadata[name]
    right = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not right or not (above < value and least <= value <= most and math.isfinite(value)):
        wanted = f"above {above:g}" if above > -math.inf else f"from {least:g} to {most:g}"
        raise ProtocolError(f"{name}={value!r}: expected a number {wanted}.")
    return float(value)
