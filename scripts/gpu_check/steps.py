"""Programs, one after another: each with a log, the device memory that it took, and one time limit for all.

steps = Steps(Path("OUT"), backend="hf", device="cpu", size="small", limit=540)
steps.step("plain", "plain", folder="OUT/0.7")["load"]
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MODEL = Path(__file__).with_name("model.py")
TAIL = 25  # lines of a log that are shown


class StepError(Exception):
    """A step that failed, or did not end in time."""


class Steps:
    """Runs programs with a log each and one time limit for all."""

    def __init__(self, out: Path, backend: str, device: str, size: str, limit: float) -> None:
        self.out, self.shared = out, {"backend": backend, "device": device, "size": size}
        self._ends, self._limit = time.monotonic() + limit, limit
        self.device_peaks: dict[str, float | None] = {}

    def program(self, name: str, command: list[str]) -> float:
        """Run it and return its seconds. Raises StepError."""
        log, began = self.out / f"{name}.log", time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        with log.open("w") as said, device_peak(self.shared["device"]) as peak:
            process = subprocess.Popen(
                command,
                stdout=said,
                stderr=said,
                env=os.environ
                | {"HM_CACHE": str(self.out / "cache"), "HF_HUB_OFFLINE": "1"}
                | {"VLLM_ALLOW_INSECURE_SERIALIZATION": "1"},  # a function of ours goes to workers
                start_new_session=True,
            )
            try:
                code = process.wait(max(1.0, self._ends - began))
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)  # with its engine
                process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise StepError(
                        f"{name}: all steps together took {self._limit:g} seconds"
                    ) from None
                raise
        self.device_peaks[name] = peak[0] if peak else None
        if code:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:])
            raise StepError(f"{name}: exit code {code}. The end of its log:\n{tail}")
        return time.monotonic() - began

    def step(self, name: str, kind: str, **asked: object) -> dict[str, Any]:
        """What a function of STEPS found, in a process of its own."""
        told, answer = self.out / f"{name}.asked.json", self.out / f"{name}.found.json"
        told.write_text(json.dumps({"kind": kind, "out": str(self.out), **self.shared, **asked}))
        self.program(name, [sys.executable, str(MODEL), str(told), str(answer)])
        return json.loads(answer.read_text()) | {"device": self.device_peaks[name]}


@contextlib.contextmanager
def device_peak(device: str) -> Iterator[list[float]]:
    """Gets the most GB of the device in use meanwhile, beyond those before; stays empty on a CPU."""
    found: list[float] = []
    if device == "cpu":
        yield found
        return
    import torch

    def used() -> float:
        free, total = torch.cuda.mem_get_info()
        return (total - free) / 1e9

    before, ended = used(), threading.Event()
    found.append(0.0)

    def watch() -> None:
        while not ended.wait(0.02):
            found[0] = max(found[0], used() - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
