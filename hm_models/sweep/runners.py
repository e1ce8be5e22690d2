"""Where points run: in this process, in one process a GPU, or on the nodes of a Ray cluster.

    runner = ProcessRunner(devices=("0",), log=Path("OUT/worker-0.log"))
    outcome = runner.run(arguments)

A runner runs one point after the other with one live model. A process of its own is told what to run by
one JSON line each, and answers likewise (`hm_models.sweep.worker`).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from hm_models.plugin.once_for_all import once_for_all
from hm_models.sweep.config import SweepError
from hm_models.sweep.live import LiveModel
from hm_models.sweep.run import Outcome, run_point

STOP_SECONDS = 60.0  # for a worker to end its engine
# What a node of a cluster is told of this one's environment; no secrets, which Ray would show.
PASSED_ON = (
    "HM_CACHE",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "MBPP_OVERRIDE_PATH",
    "HUMANEVAL_OVERRIDE_PATH",
    "SORRY_BENCH_PATH",
)


class PointRunner(Protocol):
    """Runs points, one at a time."""

    name: str

    def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """Run one point; a failure is an outcome too."""
        ...

    def close(self) -> None:
        """End the engine and give back what is held."""
        ...


class LocalRunner:
    """Runs points in this process."""

    name = ""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._held = contextlib.ExitStack()
        self._held.enter_context(once_for_all())
        self._live = self._held.enter_context(LiveModel())

    def run(self, arguments: Mapping[str, Any]) -> Outcome:
        return run_point(arguments, self._live, self._quiet)

    def close(self) -> None:
        self._held.close()


class ProcessRunner:
    """Runs points in a process that sees some of the GPUs alone; what it prints goes to `log`."""

    def __init__(self, devices: tuple[str, ...], log: Path) -> None:
        self.name = f"GPU {'+'.join(devices)}"
        self._devices = devices
        self._log = log
        self._process: subprocess.Popen | None = None
        self._answers: Any = None

    def run(self, arguments: Mapping[str, Any]) -> Outcome:
        process = self._start()
        try:
            process.stdin.write(json.dumps(arguments) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            answer = self._answers.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            return Outcome.from_dict(json.loads(answer))
        code = process.wait()
        self._forget()
        killed = " It was killed: out of memory?" if code == -9 else ""
        return Outcome(
            error=f"The worker on {self.name} ended with code {code}, see {self._log}.{killed}"
        )

    def _start(self) -> subprocess.Popen:
        if self._process is None:
            ours, theirs = os.pipe()
            with open(self._log, "a") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "hm_models.sweep.worker", str(theirs), str(os.getpid())],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=(theirs,),
                    text=True,
                    env=os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(self._devices)},
                )
            os.close(theirs)  # so that its end is seen when the worker has gone
            self._answers = os.fdopen(ours)
        return self._process

    def _forget(self) -> None:
        if self._answers:
            self._answers.close()
        self._process = self._answers = None

    def close(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()


class _RayWorker(LocalRunner):
    """What runs on a node, as an actor."""

    def __init__(self, folder: str) -> None:
        # Relative paths of checkpoints and tasks mean what they mean where the sweep was started.
        with contextlib.suppress(OSError):
            os.chdir(folder)
        super().__init__()


class RayRunner:
    """Runs points in an actor of a Ray cluster that holds `gpus` GPUs."""

    def __init__(self, ray: Any, number: int, gpus: int) -> None:
        self.name = f"Ray {number}"
        self._ray = ray
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._class = ray.remote(_RayWorker).options(
            num_gpus=gpus, num_cpus=1, runtime_env={"env_vars": environment}
        )
        self._actor: Any = None

    def run(self, arguments: Mapping[str, Any]) -> Outcome:
        from ray.exceptions import RayError

        try:
            if self._actor is None:
                self._actor = self._class.remote(os.getcwd())
            return self._ray.get(self._actor.run.remote(dict(arguments)))
        except RayError as error:
            self._actor = None
            first = (str(error).strip().splitlines() or [""])[0]
            return Outcome(error=f"{self.name}: {type(error).__name__}: {first}")

    def close(self) -> None:
        if self._actor is not None:
            with contextlib.suppress(Exception):
                self._ray.get(self._actor.close.remote(), timeout=STOP_SECONDS)
            self._ray.kill(self._actor)
            self._actor = None


def process_runners(devices: tuple[str, ...], gpus: int, folder: Path) -> list[ProcessRunner]:
    """One runner for each `gpus` of the devices.

    Raises:
        SweepError: there are too few of them.
    """
    if len(devices) < gpus:
        raise SweepError(
            f"One engine takes {gpus} GPUs (tensor_parallel_size and the like), and --devices names "
            f"{len(devices)}. Name more, or take smaller sizes."
        )
    sets = [devices[start : start + gpus] for start in range(0, len(devices) - gpus + 1, gpus)]
    return [
        ProcessRunner(these, folder / f"worker-{number}.log") for number, these in enumerate(sets)
    ]


def ray_runners(gpus: int, points: int) -> list[RayRunner]:
    """As many runners as the cluster has room for, at most one a point.

    On a cluster without GPUs, one on each node.

    Raises:
        SweepError: Ray is not installed, there is no cluster, or no node has so many GPUs.
    """
    try:
        import ray
    except ImportError:
        raise SweepError(
            "--executor ray needs Ray: pip install 'hindsight-merging[ray]', here and on each node."
        ) from None
    if not ray.is_initialized():
        try:
            ray.init(address="auto", log_to_driver=False, configure_logging=False)
        except ConnectionError as error:
            raise SweepError(
                "--executor ray found no Ray cluster. Start one with `ray start --head`, name one by "
                "RAY_ADDRESS, or take --devices."
            ) from error
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = [int(node.get("GPU", 0)) for node in nodes]
    if not any(room):
        gpus, fitting = 0, len(nodes)
    else:
        fitting = sum(have // gpus for have in room)
    if not fitting:
        raise SweepError(
            f"One engine takes {gpus} GPUs of one node, and the cluster's largest node has {max(room)}."
        )
    return [RayRunner(ray, number, gpus) for number in range(min(fitting, points))]
