"""A task that wraps another one finds it where the harness is looking: the manager that loads tasks is known.

Harness: 0.4.13 and 0.5.0.dev1.
Unnecessary: once a task is told of the manager that builds it.
"""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import Any

# The manager that is loading tasks right now.
LOADING: ContextVar[Any] = ContextVar("hm_loading", default=None)


def change(module: Any) -> None:
    """Note it while `TaskManager.load` and its older form are at work."""
    for name in ("load", "load_task_or_group"):
        _note(module.TaskManager, name)


def _note(manager: Any, name: str) -> None:
    plain = getattr(manager, name)

    @functools.wraps(plain)
    def load(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = LOADING.set(self)
        try:
            return plain(self, *args, **kwargs)
        finally:
            LOADING.reset(token)

    setattr(manager, name, load)


def manager(include_path: str | None = None) -> Any:
    """The harness's manager that is loading tasks, else a new one, which takes seconds.

    Args:
        include_path: a folder of people's own tasks, for a new one.
    """
    from lm_eval.tasks import TaskManager

    return LOADING.get() or TaskManager(include_path=include_path)


def as_written(known: Any, name: str) -> dict[str, Any]:
    """What the YAML of a task or group says, with what it includes; neither its code nor its data is loaded."""
    from lm_eval.tasks._yaml_loader import load_yaml

    entry = known._index[name]
    if name in known.all_tags:  # a tag is no file: its tasks bear it
        return {"task": sorted(entry.tags)}
    return load_yaml(entry.yaml_path, resolve_func=False) if entry.yaml_path else entry.cfg or {}
