"""A judge's handle on the isolated process that runs programs (`hm_tasks.sandbox.inside.runner`)."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from hm_tasks.sandbox.inside.program import Run
from hm_tasks.sandbox.inside.reference import Reference
from hm_tasks.sandbox.inside.watch import Allowed, Spent, WhichTests
from hm_tasks.sandbox.isolation.leftovers import remove
from hm_tasks.sandbox.isolation.limits import Limits, runner_environment
from hm_tasks.sandbox.wire.frames import (
    END,
    ENDED,
    OUTPUT,
    PIECE,
    PROBLEM,
    PROGRAM,
    REFERENCE,
    RUN,
    SETTINGS,
    STOP,
    Closed,
    Stream,
    read_frame,
    write_frame,
)
from hm_tasks.sandbox.wire.plain import MAX_BYTES

LOOK_SECONDS = 1.0  # how often a runner that says nothing is looked at
READY_SECONDS = 300.0  # that it may take to load and isolate itself, on a busy machine
STOP_SECONDS = 30.0  # that it may take to end a program
LEFTOVER_SECONDS = 5.0  # that its processes may take to end with it


class RunnerGone(RuntimeError):
    """The runner died; programs are run by a new one."""


class NotCleaned(RuntimeError):
    """A program left something behind that cannot be removed; the runner has ended for it."""


def make_run_folder(folder: str) -> None:
    """Make the folder of a run, if it is not there, and let programs reach their folders in it."""
    os.makedirs(folder, exist_ok=True)
    if os.stat(folder).st_mode & 0o711 != 0o711:
        os.chmod(folder, 0o711)  # programs run as a user of their own


class RunnerProcess:
    """The isolated process that runs programs for this judge, in a scratch folder inside `folder`."""

    def __init__(
        self, level: str, limits: Limits, hidden: Sequence[str], folder: str, light: bool = False
    ) -> None:
        make_run_folder(folder)  # a program without isolation may have taken it away
        self._scratch = tempfile.mkdtemp(prefix="scratch-", dir=folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hm_tasks.sandbox.inside.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=runner_environment(self._scratch),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.spent: Spent | None = None  # by the last process
        self._left = 0.0  # seconds for which the runner is still waited for
        self._requests = self._process.stdin.fileno()
        self._answers = self._process.stdout.fileno()
        settings = (level, self._scratch, limits, hidden, light)
        write_frame(self._requests, SETTINGS, pickle.dumps(settings))
        self._is_ready = False

    def set_inputs(self, inputs: Mapping[str, list], allowed: Mapping[str, Allowed] | None) -> None:
        """Give the inputs of the programs that follow, and the time that they may take.

        The first time it waits for the runner to be ready.

        Raises:
            RunnerGone: the runner died.
        """
        if not self._is_ready:
            self._receive(READY_SECONDS, RunnerGone)
            self._is_ready = True
        times = {kind: dataclasses.astuple(of_kind) for kind, of_kind in (allowed or {}).items()}
        self._send(PROBLEM, pickle.dumps((inputs, times)))

    def run(
        self, run: Run | Reference, seconds: float
    ) -> Generator[tuple[bytes, bytes], None, None]:
        """Run a program and yield its messages; it is stopped when nobody wants more, or too late.

        `spent` says afterwards what it took.

        Args:
            seconds: for which the runner is waited for in all; it keeps the program's own limits.

        Raises:
            ValueError: the program wrote something else into its stream.
            TimeoutError: it was stopped for the time that it took.
            NotCleaned: its folder could not be emptied.
            RunnerGone: the runner died.
        """
        self._left = seconds
        if isinstance(run, Reference):
            yield from self._follow(REFERENCE, run, WhichTests(run.kind))
            return
        for part in run.parts():
            said = b""
            tests = WhichTests(part.kind, part.first, len(part.time_limits))
            with contextlib.closing(self._follow(RUN, part, tests)) as messages:
                for said, content in messages:
                    yield said, content
            if said != OUTPUT:
                return

    def _follow(
        self, asked: bytes, run: Run | Reference, tests: WhichTests
    ) -> Generator[tuple[bytes, bytes], None, None]:
        """Run what is one process."""
        self._send(asked, pickle.dumps(dataclasses.astuple(tests)))
        self._send(PROGRAM, pickle.dumps(dataclasses.astuple(run)))
        stream = Stream(2 * MAX_BYTES)
        self.spent = None
        try:
            while True:
                began = time.monotonic()
                kind, content = self._receive(self._left)
                self._left -= time.monotonic() - began
                if kind == END:
                    self._end(content)
                    if self.spent is not None and self.spent.late:
                        raise TimeoutError
                    return
                yield from stream.feed(content)
        finally:
            if self.spent is None:
                self._send(STOP, b"")
                while (answer := self._receive(STOP_SECONDS, RunnerGone))[0] == PIECE:
                    pass
                self._end(answer[1])

    def _end(self, content: bytes) -> None:
        cpu, wall, late, cleaned = ENDED.unpack(content)
        self.spent = Spent(cpu, wall, late)
        if not cleaned:
            raise NotCleaned

    def _send(self, kind: bytes, content: bytes) -> None:
        try:
            write_frame(self._requests, kind, content)
        except OSError as error:
            raise self._gone() from error

    def _receive(self, seconds: float, late: Any = TimeoutError) -> tuple[bytes, bytes]:
        """The next message; raises `late` if there is none for so long."""
        until = time.monotonic() + seconds

        def wait() -> None:
            while not select.select([self._answers], [], [], LOOK_SECONDS)[0]:
                if self._is_stopped():
                    raise self._gone()
                if time.monotonic() > until:
                    raise self._gone() if late is RunnerGone else late

        try:
            # A message that has begun may not go on: its writer can be stopped anywhere.
            return read_frame(self._answers, wait)
        except TimeoutError:  # an OSError, too
            raise
        except (Closed, OSError) as error:
            raise self._gone() from error

    def _is_stopped(self) -> bool:
        """Whether a program without isolation has stopped it."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13: then it is waited for
            return False
        how = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, how) is not None

    def _gone(self) -> RunnerGone:
        self._process.kill()
        said = self._process.communicate()[1].decode(errors="replace").strip().splitlines()
        return RunnerGone(said[-1] if said else f"exit status {self._process.returncode}")

    def close(self) -> None:
        """End it and remove its scratch folder."""
        self._process.kill()
        self._process.communicate()
        remove(self._scratch, LEFTOVER_SECONDS)


class Runners:
    """The runners of a judge: one for programs that need little, and one for all others.

    The light one is started at once, the other one when it is first needed; either again after it is
    ended.
    """

    def __init__(self, level: str, limits: Limits, hidden: Sequence[str], folder: str) -> None:
        self._settings = (level, limits, hidden, folder)
        self._running = {True: RunnerProcess(*self._settings, light=True)}
        self._given: tuple[Mapping[str, list], Mapping[str, Allowed] | None] = {}, None
        self._informed: set[bool] = set()

    def give(self, inputs: Mapping[str, list], allowed: Mapping[str, Allowed] | None) -> None:
        """What `RunnerProcess.set_inputs` is to be given before the next program."""
        self._given = inputs, allowed
        self._informed.clear()

    def get(self, light: bool) -> RunnerProcess:
        """A runner that has the inputs.

        Raises:
            RunnerGone: it died.
        """
        if light not in self._running:
            self._running[light] = RunnerProcess(*self._settings, light=light)
        runner = self._running[light]
        if light not in self._informed:
            runner.set_inputs(*self._given)
            self._informed.add(light)
        return runner

    def end(self, light: bool) -> None:
        """End a runner; the next one is a fresh one."""
        self._informed.discard(light)
        if light in self._running:
            self._running.pop(light).close()

    def close(self) -> None:
        for light in list(self._running):
            self.end(light)
