"""What the stages of a training run are called, and which comes after which.

>>> stage_names(["runs/a/checkpoint-100", "runs/a/checkpoint-500"])
['checkpoint-100', 'checkpoint-500']
>>> stage_names(["a/checkpoint-100", "b/checkpoint-100"])
['a-checkpoint-100', 'b-checkpoint-100']
>>> sorted(["final", "step2000", "step300"], key=stage_order)
['step300', 'step2000', 'final']
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import PurePath


def stage_names(stages: Sequence[str]) -> list[str]:
    """A name for each, which a folder may have: last parts of paths, with as many as tell all apart.

    Args:
        stages: folders, hub names or revisions, each once.

    Raises:
        ValueError: two of them differ in nothing that a name may hold.
    """
    parts = [[part for part in PurePath(stage).parts if part != "/"] for stage in stages]
    for length in range(1, max(map(len, parts)) + 1):
        names = [re.sub(r"[^\w.+-]+", "-", "-".join(found[-length:])) for found in parts]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f"{', '.join(stages)} differ in no letter that a folder may have")


def stage_order(name: str) -> tuple[float, str]:
    """By the last number in the name; those without come last."""
    found = re.findall(r"\d+", name)
    return (float(found[-1]) if found else math.inf, name)
