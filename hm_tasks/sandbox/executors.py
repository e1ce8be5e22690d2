"""Where programs run, and what isolates them there: `executor=local|ray`, `isolation=...`."""

from __future__ import annotations

import dataclasses

from hm_models.files.places import cache_folder
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.judging.judge_process import LocalExecutor
from hm_tasks.sandbox.pool import Executor
from hm_tasks.sandbox.ray_executor import ExecutorError, RayExecutor, weakest_level

LOCAL, RAY = EXECUTORS = ("local", "ray")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where programs run.

    Attributes:
        executor: `local`, or `ray` for an existing Ray cluster.
        isolation: what was asked for (docs/sandbox.md).
        level: what has been proven to hold there; of several nodes, the weakest.
    """

    executor: str
    isolation: str
    level: str

    def open(self, n_judges: int | None = None) -> Executor:
        """An executor for one scorer; `n_judges` is for local ones, by default one a core."""
        if self.executor == RAY:
            return RayExecutor(self.isolation, self.level)
        return LocalExecutor(self.level, n_judges)


def choose_place(executor: str, isolation: str) -> Place:
    """Prove what isolation holds where programs are to run.

    Raises:
        ExecutorError: no such executor, or it is not to be had here.
        IsolationError: that isolation is not to be had there.
        CacheError: verdicts cannot be kept, which is better known before a model is loaded.
    """
    cache_folder("scoring")
    if executor not in EXECUTORS:
        raise ExecutorError(f"executor={executor} is none of {', '.join(EXECUTORS)}.")
    level = weakest_level(isolation) if executor == RAY else choose(isolation)
    return Place(executor, isolation, level)
