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


def refuse_thinking(metadata: dict[str, Any], task: str) -> None:
    """Refuse a model that is told to think before an answer that the prompt has begun.

    Args:
        metadata: with the model's arguments, as the harness gives them to tasks.

    Raises:
        ProtocolError: it is told so.
    """
    arguments = metadata.get("chat_template_args")
    asked = {**arguments, **metadata} if isinstance(arguments, dict) else metadata
    if str(asked.get("enable_thinking")).lower() in ("true", "1"):
        raise ProtocolError(
            f"enable_thinking=True: the chat prompts of {task} begin the answer (it is prefilled "
            "with evalplus's ```python), so that nothing is thought before it. Leave enable_thinking "
            "out, or use a task with room for a thought: mbppplus_traces, or problem_traces."
        )
