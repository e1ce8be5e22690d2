"""Settings of tasks that cannot be used, refused before a model is loaded."""

from __future__ import annotations

from typing import Any


class ProtocolError(ValueError):
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
