"""A vLLM engine in a process of its own, one for all tests that do not test starting.

    def greedy(lm, alpha):          # a function of a test's module
        lm.set_alpha(alpha)
        ...
    found = vllm.ask(greedy, 0.3)

It holds a merge of tiny float32 checkpoints. What is asked is a function's name and plain values, as a
test's process can hold no engine and an engine's process no test.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import torch

from tests.models.tiny import tiny_checkpoint

PATIENCE_SECONDS = 1800  # what only a hang takes, on however busy a machine
ARGUMENTS = {
    "dtype": "float32",  # of float32 vLLM makes bfloat16 by itself
    "enforce_eager": True,
    "kv_cache_memory_bytes": 2**27,
    "max_model_len": 256,
}


def vllm_pair(folder: Path) -> None:
    """The pair that the engine holds; vLLM's CPU kernels know no head smaller than 32."""
    for seed, name in enumerate(("base", "instruct")):
        tiny_checkpoint(folder / name, seed, dtype=torch.float32, hidden_size=128)


class SharedVllm:
    """The process and what it may be asked."""

    def __init__(self, cache: Path, **merge: object) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, merge, str(cache)))
        self._process.start()
        theirs.close()

    def ask(self, function: Callable[..., Any], *arguments: object) -> Any:
        """What `function(lm, *arguments)` returns there.

        Raises:
            AssertionError: it raised something, or the process died; with the traceback.
        """
        self._connection.send((function.__module__, function.__name__, arguments))
        if not self._connection.poll(PATIENCE_SECONDS):
            self._process.kill()  # else its late answer would be taken for that of the next question
            raise AssertionError(f"no answer in {PATIENCE_SECONDS} s")
        found, error = self._connection.recv()
        assert error is None, error
        return found

    def close(self) -> None:
        """End the engine and its process."""
        family = psutil.Process(self._process.pid)
        for process in [*family.children(recursive=True), family]:
            process.kill()
        self._process.join()


def _serve(connection: Connection, merge: dict[str, Any], cache: str) -> None:
    os.environ |= {"HM_CACHE": cache, "VLLM_LOGGING_LEVEL": "ERROR"}
    from hm_models.merged import HindsightMerged

    lm = HindsightMerged(**merge, backend="vllm", **ARGUMENTS)
    while True:
        try:
            module, name, arguments = connection.recv()
        except EOFError:
            return
        try:
            found = getattr(importlib.import_module(module), name)(lm, *arguments)
            connection.send((found, None))
        except Exception:
            connection.send((None, traceback.format_exc()))
