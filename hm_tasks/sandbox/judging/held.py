"""A problem as a judge holds it: what is expected, and how long programs may take."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from hm_tasks.sandbox.inside.program import Run
from hm_tasks.sandbox.inside.watch import Allowed
from hm_tasks.sandbox.judging.behaviour import Fingerprints
from hm_tasks.sandbox.judging.expected import expected_of, wants_set
from hm_tasks.sandbox.judging.isolated import RunnerProcess
from hm_tasks.sandbox.judging.light import is_light
from hm_tasks.sandbox.judging.stated import digest_above
from hm_tasks.sandbox.problem import KINDS, Problem
from hm_tasks.sandbox.store import VerdictStore

# evalplus 0.3.1, config.py and eval/__init__.py: a test may take this multiple of the reference's time,
# and at least so long; all tests of one kind at most so long, and a second for starting.
TIME_FACTOR, MIN_SECONDS, MAX_SECONDS, START_SECONDS = 4.0, 1.0, 60.0, 1.0


@dataclasses.dataclass(frozen=True)
class Held:
    """A problem, by kind of tests what is expected, and the limits of the runs that ask for it.

    Attributes:
        values: expected outputs.
        limits: seconds for each input.
        allowed: the same limits as they are kept from outside, and seconds for all inputs.
        fingerprints: of the outputs that programs gave.
    """

    problem: Problem
    values: dict[str, list[Any]]
    limits: dict[str, list[float]]
    allowed: dict[str, Allowed]
    fingerprints: Fingerprints

    def runs(self, program: str) -> list[Run]:
        """What is to be run to judge this program."""
        problem, as_set = self.problem, wants_set(self.problem)
        light = bool(problem.entry_point) and not problem.common_imports and is_light(program)
        return [
            Run(
                program,
                problem.entry_point,
                kind,
                self.limits[kind],
                self.allowed[kind].budget,
                as_set,
                problem.oracle,
                digest_above(problem.oracle, problem.atol),
                problem.common_imports,
                light=light,
            )
            for kind in KINDS
        ]


def hold(problem: Problem, store: VerdictStore, runner: Callable[[], RunnerProcess]) -> Held:
    """Find out what is expected and set the limits.

    Raises:
        BrokenReference, RunnerGone: see `expected_of`.
    """
    held = Held(problem, {}, {}, {}, Fingerprints())
    for kind, (found, values) in expected_of(problem, store, runner).items():
        limits = [max(MIN_SECONDS, problem.time_limit, TIME_FACTOR * t) for t in found.seconds]
        budget = min(MAX_SECONDS, sum(limits)) + START_SECONDS
        # From outside it is not seen when a function has returned and its output is written.
        writing = (TIME_FACTOR * t for t in found.writing)
        tests = [sum(both) for both in zip(limits, writing, strict=True)]
        held.values[kind], held.limits[kind] = values, limits
        held.allowed[kind] = Allowed(tests, budget)
    return held
