"""The harness's index of tasks, built once for all runs of a process.

    with one_task_index():
        ...  # every TaskManager of the same folders shares it

The harness parses some ten thousand YAML files for each run, which takes seconds; a sweep's points all
have the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def one_task_index() -> Iterator[None]:
    """While entered, an index is built once for the same folders."""
    from lm_eval.tasks._index import TaskIndex

    plain = TaskIndex.__dict__["build"]
    known: dict[tuple, dict[str, Any]] = {}

    def build(paths: Iterable[Path], *, resolve_includes: bool = True) -> dict[str, Any]:
        folders = tuple(paths)
        key = (*map(str, folders), resolve_includes)
        if key not in known:
            known[key] = plain.__func__(folders, resolve_includes=resolve_includes)
        return dict(known[key])  # entries are only read: the harness copies a task's settings

    TaskIndex.build = staticmethod(build)  # type: ignore[method-assign]
    try:
        yield
    finally:
        TaskIndex.build = plain  # type: ignore[method-assign]
