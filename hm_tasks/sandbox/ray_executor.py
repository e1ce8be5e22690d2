"""Judges on the nodes of an existing Ray cluster.

    ray start --head && hm-score SAMPLES --executor ray

Each node needs this plugin, and proves for itself which isolation holds there. A problem goes out once,
through Ray's object store; texts and verdicts are plain data. Expected values are kept in each
node's own HM_CACHE, verdicts in that of the caller; a node, too, looks into its own for the verdicts of
programs that it has taken out of texts. Source: Ray's documentation of actors.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from hm_models.errors import UsageError
from hm_tasks.sandbox.isolation.levels import LEVELS
from hm_tasks.sandbox.isolation.limits import IsolationError
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.judging.asking import JudgeDied
from hm_tasks.sandbox.judging.judge_process import JudgeProcess, LocalExecutor
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.wire.frames import PROBLEM

STOP_SECONDS = 3.0  # for judges to tidy up before they are ended


class ExecutorError(UsageError, RuntimeError):
    """Programs cannot be run where they were to; the message says what to do."""


def connect() -> Any:
    """Connect to the cluster, if that has not been done, and return Ray.

    Raises:
        ExecutorError: Ray is not installed, or there is no cluster.
    """
    try:
        import ray
    except ImportError:
        raise ExecutorError(
            "executor=ray needs Ray: pip install 'hindsight-merging[ray]', here and on each node."
        ) from None
    if not ray.is_initialized():
        try:
            ray.init(address="auto", log_to_driver=False, configure_logging=False)
        except ConnectionError as error:
            raise ExecutorError(
                "executor=ray found no Ray cluster. Start one with `ray start --head`, name one by "
                "RAY_ADDRESS, or use executor=local."
            ) from error
    return ray


def weakest_level(isolation: str) -> str:
    """The weakest level that the cluster's nodes have, each proven there.

    Raises:
        ExecutorError: there is no cluster, or a node lacks this plugin.
        IsolationError: a node does not hold the isolation that was asked for.
    """
    ray = connect()
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if not nodes:
        raise ExecutorError("The Ray cluster has no node with a CPU.")
    prove = ray.remote(num_cpus=0)(_level_here)
    asked = {}
    for node in nodes:
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            node["NodeID"], soft=False
        )
        asked[node["NodeManagerAddress"], node["NodeID"]] = prove.options(
            scheduling_strategy=here
        ).remote(isolation)
    found = []
    for (address, _), answer in asked.items():
        try:
            level, refusal = ray.get(answer)
        except ray.exceptions.RayError as error:
            raise ExecutorError(
                f"Node {address} of the Ray cluster cannot run programs ({_last_line(error)}). "
                "Install this plugin there, in the same version."
            ) from error
        if refusal:
            raise IsolationError(f"On node {address} of the Ray cluster: {refusal}")
        found.append(level)
    return max(found, key=LEVELS.index)


def _level_here(isolation: str) -> tuple[str, str]:
    try:
        return choose(isolation), ""
    except IsolationError as error:
        return "", str(error)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


class _Remote:
    """What runs on a node: one judge process, whose isolation has been proven there."""

    def __init__(self, isolation: str, weakest: str, behind: bool) -> None:
        level, self._refusal = _level_here(isolation)
        if level and LEVELS.index(level) > LEVELS.index(weakest):
            self._refusal = (
                f"isolation={level} is all that holds, where {weakest} was proven before."
            )
        if not self._refusal:
            self._executor = LocalExecutor(level, 1)
            self._judge: JudgeProcess = self._executor.start(behind)

    def refusal(self) -> str:
        return self._refusal

    def ask(self, kind: bytes, question: Any) -> Any:
        return self._judge.ask(kind, question)

    def stop(self) -> None:
        self._executor.close()


class RayJudge:
    """A judge on some node; another one takes its place if it or its node dies.

    Raises:
        IsolationError: less holds on its node than was proven before.
    """

    def __init__(self, executor: RayExecutor, behind: bool) -> None:
        self._executor, self.behind = executor, behind
        self._killed = False
        self._actor = self._start()

    def _start(self) -> Any:
        """A new actor; where it starts is Ray's choice, and it may have to wait for a CPU."""
        ray = self._executor.ray
        remote = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_Remote)
        actor = remote.remote(self._executor.isolation, self._executor.level, self.behind)
        if refusal := ray.get(actor.refusal.remote()):
            ray.kill(actor)
            raise IsolationError(f"On a node of the Ray cluster: {refusal}")
        return actor

    def ask(self, kind: bytes, question: Any) -> Any:
        """See `JudgeHandle`."""
        ray = self._executor.ray
        if kind == PROBLEM:
            question = self._executor.sent(question)
        try:
            return ray.get(self._actor.ask.remote(kind, question))
        except ray.exceptions.RayActorError as error:
            if not self._killed:
                self._actor = self._start()
            return JudgeDied(f"the judging process died ({_last_line(error)})")

    def kill(self) -> None:
        """End it, whatever it does, from any thread."""
        self._killed = True
        with contextlib.suppress(Exception):  # Ray may have ended before, and all its actors
            self._executor.ray.wait([self._actor.stop.remote()], timeout=STOP_SECONDS)
            self._executor.ray.kill(self._actor)

    stop = kill


class RayExecutor:
    """Judges on the nodes of a Ray cluster, one for each CPU that is free.

    Args:
        isolation: what was asked for.
        level: the weakest that was proven; a node where less holds is refused.
    """

    def __init__(self, isolation: str, level: str) -> None:
        self.ray = connect()
        self.level = level
        self.n_judges = max(1, int(self.ray.available_resources().get("CPU", 0)))
        self.isolation = isolation
        self._sent: dict[int, tuple[Problem, Any]] = {}
        self._judges: list[RayJudge] = []
        self._lock = threading.Lock()

    def start(self, behind: bool) -> RayJudge:
        """Start one more judge, on a node that Ray chooses.

        Raises:
            IsolationError: see `RayJudge`.
        """
        judge = RayJudge(self, behind)
        self._judges.append(judge)
        return judge

    def sent(self, problem: Problem) -> Any:
        """The problem in Ray's object store, put there once."""
        with self._lock:
            if id(problem) not in self._sent:
                self._sent[id(problem)] = problem, self.ray.put(problem)
            return self._sent[id(problem)][1]

    def close(self) -> None:
        """End all judges and forget the problems."""
        for judge in self._judges:
            judge.kill()
        self._sent.clear()
