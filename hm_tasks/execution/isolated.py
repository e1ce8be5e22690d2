"""A judge's handle on the isolated process that runs programs (`hm_tasks.execution.runner`)."""

from __future__ import annotations

import os
import pickle
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from hm_tasks.execution.frames import (
    END,
    OUTPUT,
    PIECE,
    PROBLEM,
    PROGRAM,
    RUN,
    SETTINGS,
    STOP,
    Closed,
    Stream,
    read_frame,
    write_frame,
)
from hm_tasks.execution.isolation import Limits, clean_environment
from hm_tasks.execution.plain import MAX_BYTES
from hm_tasks.execution.program import Run


class RunnerGone(RuntimeError):
    """The runner died; programs are run by a new one."""


class Runner:
    """The isolated process that runs programs for this judge, in a scratch folder inside `folder`."""

    def __init__(self, level: str, limits: Limits, hidden: list[str], folder: str) -> None:
        self._scratch = tempfile.mkdtemp(prefix="scratch-", dir=folder)
        environment = clean_environment(self._scratch)
        root = str(Path(__file__).parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, (root, environment.get("PYTHONPATH")))
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hm_tasks.execution.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._answers = self._process.stdout.fileno()
        write_frame(self._requests, SETTINGS, pickle.dumps((level, self._scratch, limits, hidden)))
        self._is_ready = False

    def set_inputs(self, inputs: dict[str, list]) -> None:
        """Give the inputs of the programs that follow. The first time it waits for the runner.

        Raises:
            RunnerGone: the runner died.
        """
        if not self._is_ready:
            self._receive()
            self._is_ready = True
        self._send(PROBLEM, pickle.dumps(inputs))

    def run(self, run: Run, deadline: float) -> Generator[tuple[bytes, bytes], None, None]:
        """Run a program and yield its messages; it is stopped when nobody wants more, or too late.

        Args:
            deadline: of the wall clock (time.monotonic).

        Raises:
            ValueError: the program wrote something else into its stream.
            TimeoutError: it was stopped at the deadline.
            RunnerGone: the runner died.
        """
        for part in run.parts():
            said = b""
            for said, content in self._run(part, deadline):
                yield said, content
            if said != OUTPUT:
                return

    def _run(self, run: Run, deadline: float) -> Generator[tuple[bytes, bytes], None, None]:
        self._send(RUN, b"")
        self._send(PROGRAM, pickle.dumps(run))
        stream = Stream(2 * MAX_BYTES)
        ended = False
        try:
            while not ended:
                wait = deadline - time.monotonic()
                if wait <= 0 or not select.select([self._answers], [], [], wait)[0]:
                    raise TimeoutError
                kind, content = self._receive()
                if kind == END:
                    ended = True
                    return
                yield from stream.feed(content)
        finally:
            if not ended:
                self._send(STOP, b"")
                while self._receive()[0] == PIECE:
                    pass

    def _send(self, kind: bytes, content: bytes) -> None:
        try:
            write_frame(self._requests, kind, content)
        except OSError as error:
            raise self._gone() from error

    def _receive(self) -> tuple[bytes, bytes]:
        try:
            return read_frame(self._answers)
        except (Closed, OSError) as error:
            raise self._gone() from error

    def _gone(self) -> RunnerGone:
        self._process.kill()
        said = self._process.communicate()[1].decode(errors="replace").strip().splitlines()
        return RunnerGone(said[-1] if said else f"exit status {self._process.returncode}")

    def close(self) -> None:
        """End it and remove its scratch folder."""
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._scratch, ignore_errors=True)
