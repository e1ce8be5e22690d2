"""Running one program on its inputs, inside the sandbox, by evalplus's rules.

Source of the rules: evalplus 0.3.1, eval/__init__.py: empty globals, its own guards (which programs can
see), silent input and output, a time limit an input, the first failing input ends the program. What
differs: limits count the time that the program computes, not the time that a busy machine takes; and
outputs leave as plain data, to be compared where no program runs.
"""

from __future__ import annotations

import os
import resource
import signal
from dataclasses import dataclass, replace
from typing import Any

from hm_tasks.sandbox.inside.common_imports import CODE as COMMON_IMPORTS
from hm_tasks.sandbox.inside.whole_program import WholeProgram
from hm_tasks.sandbox.problem import APPS, JSON
from hm_tasks.sandbox.wire.frames import LATE, LOADED, OUTPUT, RAISED, write_frame
from hm_tasks.sandbox.wire.plain import DIGEST_ABOVE, encode

# A program that waits instead of computing meets this multiple of its limit.
WALL_FACTOR = 4.0
MAX_REASON = 200  # characters of an exception's name


@dataclass(frozen=True)
class Run:
    """One program and one kind of tests.

    Attributes:
        program: source text.
        entry_point: the function to call; empty where the program is run as a whole.
        kind: which of the problem's inputs: `base_input` or `plus_input`.
        time_limits: seconds for each input.
        budget: seconds for all of them.
        as_set: whether only the set of an output's elements counts.
        oracle: the problem's; evalplus calls it the data set.
        digest_above: bytes of an output beyond which its digest is sent, where its kind allows that.
        common_imports: whether those of `hm_tasks.sandbox.inside.common_imports` come first.
        first: the number of the input that the first time limit is for; those before it are not run.
        light: whether the light runner runs it (`hm_tasks.sandbox.judging.light`).
    """

    program: str
    entry_point: str
    kind: str
    time_limits: list[float]
    budget: float
    as_set: bool
    oracle: str = "none"
    digest_above: int = DIGEST_ABOVE
    common_imports: bool = False
    first: int = 0
    light: bool = False

    def parts(self) -> list[Run]:
        """The runs that it consists of, each in a process of its own: whole programs one a test."""
        if self.entry_point or not self.time_limits:
            return [self]
        limits = enumerate(self.time_limits)
        return [replace(self, first=number, time_limits=[limit]) for number, limit in limits]


def execute(
    run: Run, inputs: list[list[Any]], results: int, guards: Any, memory: int, guarded: bool
) -> None:
    """Run the program; write what it gives to the descriptor `results`. Returns when it is done.

    Args:
        guarded: whether evalplus's guards take functions away from it.
    """
    # Captured now: the program may replace whatever it can reach.
    write, make_plain, timer = write_frame, encode, signal.setitimer

    def out_of_time(number: int, frame: Any) -> None:
        write(results, LATE)  # the program may swallow what follows
        raise guards.TimeoutException("Timed out!")

    signal.signal(signal.SIGPROF, out_of_time)
    signal.signal(signal.SIGALRM, out_of_time)
    seconds = int(run.budget) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))

    def give(output: Any) -> None:
        write(results, OUTPUT, make_plain(output, as_set=run.as_set, digest_above=run.digest_above))

    whole = None
    if not run.entry_point:
        whole = WholeProgram(run.program, os.getcwd(), give, run.common_imports)
    if guarded:
        guards.reliability_guard(maximum_memory_bytes=memory)
    try:
        with guards.swallow_io():
            if whole is not None:
                whole.load()
                function: Any = whole
            else:
                names: dict[str, Any] = {}
                if run.common_imports:
                    exec(COMMON_IMPORTS, names)
                imported = names.get(run.entry_point)
                # Without this module's own `from __future__` lines.
                exec(compile(run.program, "<string>", "exec", dont_inherit=True), names)
                function = _asked_for(run, names, imported)
        write(results, LOADED)
        for arguments, limit in zip(inputs, run.time_limits, strict=True):
            timer(signal.ITIMER_PROF, limit)
            timer(signal.ITIMER_REAL, limit * WALL_FACTOR)
            try:
                with guards.swallow_io():
                    output = function(*arguments)
            finally:
                timer(signal.ITIMER_PROF, 0)
                timer(signal.ITIMER_REAL, 0)
            give(output)
    except BaseException as error:
        name = type.__dict__["__name__"].__get__(type(error))
        write(results, RAISED, name.encode("utf8", "replace")[:MAX_REASON])


def _asked_for(run: Run, names: dict[str, Any], imported: Any) -> Any:
    """The function; with tests of its own form also LeetCode's, a method of a class `Solution`.

    Args:
        imported: what had the function's name before the program.
    """
    function = names.get(run.entry_point)
    if function is imported and run.oracle in (JSON, APPS) and "Solution" in names:
        return getattr(names["Solution"](), run.entry_point)
    if function is imported is not None:
        raise KeyError(run.entry_point)
    return names[run.entry_point]
