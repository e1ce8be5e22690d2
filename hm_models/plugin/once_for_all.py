"""What the harness finds out anew for each run, although all points of a sweep have the same.

    with once_for_all():
        ...  # every run in here shares it

The index of tasks (some fourteen thousand YAML files are parsed for it) and the description of the
environment (which asks pip for all packages): several seconds each.

Harness: 0.4.13 and 0.5.0.dev1. For the time of a `with` alone, as a task's file may change between two runs.
Unnecessary: once a `TaskManager` takes an index, or other metadata than it was made with, and
`simple_evaluate` an environment's description.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def once_for_all() -> Iterator[None]:
    """While entered, an index of the same folders is built once, and the environment described once."""
    from lm_eval.tasks._index import TaskIndex
    from torch.utils import collect_env

    plain, plain_environment = TaskIndex.build, collect_env.get_pretty_env_info
    known: dict[tuple[object, ...], dict[str, Any]] = {}

    def build(paths: Iterable[Path], *args: Any, **kwargs: Any) -> dict[str, Any]:
        folders = tuple(paths)
        key = (*map(str, folders), repr((args, kwargs)))
        if key not in known:
            known[key] = plain(folders, *args, **kwargs)
        return dict(known[key])  # entries are only read: the harness copies a task's settings

    TaskIndex.build = staticmethod(build)  # type: ignore[method-assign, assignment]
    collect_env.get_pretty_env_info = functools.cache(plain_environment)
    try:
        yield
    finally:
        TaskIndex.build = staticmethod(plain)  # type: ignore[method-assign, assignment]
        collect_env.get_pretty_env_info = plain_environment
