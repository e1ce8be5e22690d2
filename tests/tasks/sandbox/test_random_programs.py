"""Random programs, run and judged, get the statuses that evalplus's own checker gives them."""

import collections
import random

import pytest
from evalplus.eval import untrusted_check
from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS, MBPP_OUTPUT_SET_EQ_TASKS
from evalplus.gen.util import trusted_exec

from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import KINDS, Problem
from tests.tasks.sandbox.random_programs import program, reference, source

# The last ones once differed: they compare values that contain themselves.
NUMBERS = [*range(40), 1000, 1016, 1180]
N_PROGRAMS, N_INPUTS = 4, 5
SPECIAL = [MBPP_OUTPUT_SET_EQ_TASKS[0], MBPP_OUTPUT_NOT_NONE_TASKS[0], "are_equivalent", "sum_div"]


def problem(number: int) -> tuple[Problem, list[str]]:
    """A problem whose inputs are numbers, and programs for it."""
    rng = random.Random(number)
    dataset = rng.choice(["mbpp", "mbpp", "humaneval"])
    name = rng.choice(["f", "f", "f", *SPECIAL]) if dataset == "mbpp" else "f"
    right = reference(rng, 2 * N_INPUTS)
    programs = [source(name, program(rng, right)) for _ in range(N_PROGRAMS)]
    inputs = [[number] for number in range(2 * N_INPUTS)]
    return Problem(
        f"Mine/{number}",
        "",
        name,
        source(name, right),
        inputs[:N_INPUTS],
        inputs[N_INPUTS:],
        rng.choice([0, 0, 1e-6]),
        dataset,
    ), programs


def by_evalplus(one: Problem, programs: list[str]) -> list[tuple[str, str]]:
    statuses: list[list[str]] = [[] for _ in programs]
    for kind in KINDS:
        inputs = getattr(one, kind)
        expected = trusted_exec(
            one.canonical_solution,
            inputs,
            one.entry_point,
            output_not_none=one.entry_point in MBPP_OUTPUT_NOT_NONE_TASKS,
        )
        for text, found in zip(programs, statuses, strict=True):
            arguments = (one.oracle, text, inputs, one.entry_point, expected, one.atol)
            found.append(untrusted_check(*arguments, [0.0] * len(inputs), fast_check=True)[0])
    return [(base, plus) for base, plus in statuses]


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore")
def test_statuses_are_those_of_evalplus():
    jobs = [problem(number) for number in NUMBERS]
    ours = check_all(jobs, isolation="rlimit", sanitize=False)
    found: collections.Counter = collections.Counter()
    for (one, programs), verdicts in zip(jobs, ours, strict=True):
        theirs = by_evalplus(one, programs)
        for text, verdict, expected in zip(programs, verdicts, theirs, strict=True):
            status = verdict.base_status, verdict.plus_status
            assert status == expected, (one.entry_point, one.atol, verdict.reason, text)
            found.update(status)
    assert min(found["pass"], found["fail"]) > 50, found
