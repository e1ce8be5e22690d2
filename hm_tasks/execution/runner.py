"""The isolated process that runs programs for a judge: `python -m hm_tasks.execution.runner`.

It isolates itself once, then forks for each program, passes on what that writes, and sees to it that
nothing of it is left. It holds inputs, never expected outputs. A program is read by its own process,
and what it writes passes through one buffer that is wiped: so the next one, whose process is a copy of
this one, finds nothing of it in memory. All that this process says of a program itself is that it is
gone. Standard input brings messages (`hm_tasks.execution.frames`), standard output takes them.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
from pathlib import Path
from typing import Any

from hm_tasks.execution.evalplus_process import (
    FRAMES,
    at_depth,
    hide_own_modules,
    load,
    look_alike,
)
from hm_tasks.execution.frames import (
    END,
    HEAD,
    PIECE,
    PROBLEM,
    PROGRAM,
    RUN,
    SETTINGS,
    STOP,
    Closed,
    read_frame,
    write_frame,
)
from hm_tasks.execution.isolation import clean_up, confine_program, enter
from hm_tasks.execution.isolation.levels import RLIMIT
from hm_tasks.execution.program import Run, execute

PIECE_BYTES = 1 << 16
POLL_MS = 100  # how often a program is looked at that neither writes nor ends


class Runner:
    """Runs one program after another between two pipes."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests, self._answers = requests, answers
        kind, content = read_frame(requests)
        assert kind == SETTINGS, kind
        self._level, scratch, self._limits, hidden = pickle.loads(content)
        enter(self._level, scratch, self._limits, hidden=hidden)
        # Isolated before, as some of these packages start threads, which isolating forbids.
        self._guards = load(own_folder=str(Path(__file__).parents[2]))
        self._inputs: dict[str, list[list[Any]]] = {}
        self._piece = bytearray(PIECE_BYTES)

    def serve(self) -> None:
        """Answer requests until the judge is gone."""
        gc.freeze()  # so that a fork's collector does not touch, and copy, every page
        while True:
            try:
                kind, content = read_frame(self._requests)
            except Closed:
                return
            if kind == PROBLEM:
                self._inputs = pickle.loads(content)
            elif kind == RUN:
                self._run()
            # A STOP of a program that ended by itself meanwhile needs no answer.

    def _run(self) -> None:
        reading, writing = os.pipe()
        reads, has_read = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                kind, content = read_frame(self._requests)
                assert kind == PROGRAM, kind
                run = pickle.loads(content)
                os.close(has_read)
                confine_program(self._limits, keep=(writing,))
                inputs = self._inputs[run.kind][run.first :][: len(run.time_limits)]
                self._execute(run, inputs, writing)
            finally:
                os._exit(0)
        os.close(writing)
        os.close(has_read)
        os.read(reads, 1)  # the requests are this process's again
        os.close(reads)
        self._pass_on(child, reading)
        status = clean_up(child)
        while self._pass_piece(reading):  # all who could write are gone
            pass
        os.close(reading)
        self._piece[:] = bytes(PIECE_BYTES)
        write_frame(self._answers, END, pickle.dumps(status))

    def _execute(self, run: Run, inputs: list[list[Any]], writing: int) -> None:
        """What the program's own process does."""
        hide_own_modules()
        # As at a shell, nothing is taken away from whole programs where the kernel confines them.
        guarded = bool(run.entry_point) or self._level == RLIMIT
        arguments = (run, inputs, writing, self._guards, self._limits.memory, guarded)
        if run.entry_point:
            look_alike(run.oracle)
            at_depth(FRAMES, execute, *arguments)
        else:
            execute(*arguments)

    def _pass_piece(self, reading: int) -> bool:
        """Pass on one piece of what the program wrote; False at its end."""
        size = os.readv(reading, [self._piece])
        if size:
            os.write(self._answers, HEAD.pack(PIECE, size))
            left = memoryview(self._piece)[:size]
            while left:
                left = left[os.write(self._answers, left) :]
        return size > 0

    def _pass_on(self, child: int, reading: int) -> None:
        """Pass on what the program writes until it ends, closes its pipe or is to be stopped."""
        poll = select.poll()
        for descriptor in (reading, self._requests):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(POLL_MS)}
            if reading in ready and not self._pass_piece(reading):
                return
            if self._requests in ready:
                kind, _ = read_frame(self._requests)
                assert kind == STOP, kind
                return
            # It may have ended and left others behind that keep the pipe open.
            if not ready and _has_ended(child):
                return


def _has_ended(child: int) -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13: then the judge's deadline ends it
        return False
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def main() -> None:
    requests, answers = os.dup(0), os.dup(1)
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(quiet, descriptor)
    runner = Runner(requests, answers)
    os.dup2(quiet, 2)  # what goes wrong before is for the judge to read
    write_frame(answers, END)  # it is ready, and time counts from now on
    runner.serve()


if __name__ == "__main__":
    main()
