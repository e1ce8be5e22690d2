"""The isolated process that runs programs for a judge: `python -m hm_tasks.sandbox.inside.runner`.

It isolates itself once, then forks for each program, passes on what that writes, and sees to it that
nothing of it is left. It holds inputs, never expected outputs. A program is read by its own process,
and what it writes passes through one buffer that is wiped: so the next one, whose process is a copy of
this one, finds nothing of it in memory. All that this process says of a program itself is that it is
gone, what time it took (`hm_tasks.sandbox.inside.watch`), and whether its folder could be emptied. Standard
input brings messages (`hm_tasks.sandbox.wire.frames`) of Python's own types, standard output takes them.
"""

from __future__ import annotations

import os
import pickle
import select
import time
from typing import Any

from hm_tasks.sandbox.inside.evalplus_process import (
    FRAMES,
    PackageSources,
    at_depth,
    begin,
    load,
    look_alike,
)
from hm_tasks.sandbox.inside.program import Run, execute
from hm_tasks.sandbox.inside.reference import ALLOWED, Reference, compute, limits_of_references
from hm_tasks.sandbox.inside.watch import Allowed, Watch, WhichTests
from hm_tasks.sandbox.isolation.levels import RLIMIT, clean_up, confine_program, enter
from hm_tasks.sandbox.isolation.limits import IsolationError, own_folder
from hm_tasks.sandbox.wire.frames import (
    END,
    ENDED,
    HEAD,
    PIECE,
    PROBLEM,
    PROGRAM,
    REFERENCE,
    RUN,
    SETTINGS,
    STOP,
    Closed,
    read_frame,
    write_frame,
)

PIECE_BYTES = 1 << 16
POLL_SECONDS = 0.1  # how often a program is looked at that neither writes nor ends
OVERSLEPT_SECONDS = 0.02  # later than asked for: that is the kernel's usual way


class Runner:
    """Runs one program after another between two pipes."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests, self._answers = requests, answers
        kind, content = read_frame(requests)
        assert kind == SETTINGS, kind
        self._level, scratch, self._limits, hidden, light = pickle.loads(content)
        sources = PackageSources.of("evalplus")
        enter(self._level, scratch, self._limits, hidden=hidden)
        # Isolated before, as some of these packages start threads, which isolating forbids.
        self._guards = load(own_folder(), sources, light)
        self._inputs: dict[str, list[list[Any]]] = {}
        self._allowed: dict[str, Allowed] = {}
        self._piece = bytearray(PIECE_BYTES)

    def serve(self) -> None:
        """Answer requests until the judge is gone."""
        look_alike()
        while True:
            try:
                kind, content = read_frame(self._requests)
            except Closed:
                return
            if kind == PROBLEM:
                self._inputs, allowed = pickle.loads(content)
                self._allowed = {kind: Allowed(*fields) for kind, fields in allowed.items()}
            elif kind in (RUN, REFERENCE):
                self._run(kind, WhichTests(*pickle.loads(content)))
            # A STOP of a program that ended by itself meanwhile needs no answer.

    def _run(self, asked: bytes, tests: WhichTests) -> None:
        reading, writing = os.pipe()
        reads, has_read = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                kind, content = read_frame(self._requests)
                assert kind == PROGRAM, kind
                fields = pickle.loads(content)
                os.close(has_read)
                inputs = tests.of(self._inputs[tests.kind])
                if asked == RUN:
                    confine_program(self._limits, keep=(writing,))
                    self._execute(Run(*fields), inputs, writing)
                else:
                    confine_program(limits_of_references(self._limits), keep=(writing,))
                    compute(Reference(*fields), inputs, writing)
            finally:
                os._exit(0)
        os.close(writing)
        os.close(has_read)
        os.read(reads, 1)  # the requests are this process's again
        os.close(reads)
        watch = Watch(child, self._allowed[tests.kind].part(tests) if asked == RUN else ALLOWED)
        late = self._pass_on(child, reading, watch)
        spent = watch.spent(late)
        try:
            clean_up(child)
        except IsolationError:
            # It is the program's doing, and this process is of no more use.
            write_frame(self._answers, END, ENDED.pack(spent.cpu, spent.wall, late, False))
            raise
        while self._pass_piece(reading, watch):  # all who could write are gone
            pass
        os.close(reading)
        self._piece[:] = bytes(PIECE_BYTES)
        write_frame(self._answers, END, ENDED.pack(spent.cpu, spent.wall, late, True))

    def _execute(self, run: Run, inputs: list[list[Any]], writing: int) -> None:
        """What the program's own process does."""
        # As at a shell, nothing is taken away from whole programs where the kernel confines them.
        guarded = bool(run.entry_point) or self._level == RLIMIT
        arguments = (run, inputs, writing, self._guards, self._limits.memory, guarded)
        if run.entry_point:
            begin(run.oracle)
            at_depth(FRAMES, execute, *arguments)
        else:
            execute(*arguments)

    def _pass_piece(self, reading: int, watch: Watch) -> bool:
        """Pass on one piece of what the program wrote; False at its end."""
        size = os.readv(reading, [self._piece])
        if size:
            whole = memoryview(self._piece)[:size]
            watch.saw(whole)
            began = time.monotonic()
            os.write(self._answers, HEAD.pack(PIECE, size))
            left = whole
            while left:
                left = left[os.write(self._answers, left) :]
            watch.leave_out(time.monotonic() - began)
        return size > 0

    def _pass_on(self, child: int, reading: int, watch: Watch) -> bool:
        """Pass on what the program writes until it ends, closes its pipe or is to be stopped.

        Returns whether it is stopped for the time that it took.
        """
        poll = select.poll()
        for descriptor in (reading, self._requests):
            poll.register(descriptor, select.POLLIN)
        while (left := watch.left()) > 0:
            wait = min(left, POLL_SECONDS)
            began = time.monotonic()
            ready = {descriptor for descriptor, _ in poll.poll(max(1, round(wait * 1000)))}
            # Beyond what was asked for this process got no time, and so the program may not have.
            watch.leave_out(time.monotonic() - began - wait - OVERSLEPT_SECONDS)
            if reading in ready and not self._pass_piece(reading, watch):
                return False
            if self._requests in ready:
                kind, _ = read_frame(self._requests)
                assert kind == STOP, kind
                return False
            # It may have ended and left others behind that keep the pipe open.
            if not ready and _has_ended(child):
                return False
        return True


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
