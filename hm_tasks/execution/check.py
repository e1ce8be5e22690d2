"""Check all samples of one problem with evalplus's own checker, in a process of their own.

A process that has held another problem's expected values gives other verdicts (evalplus's children
inherit its memory and then exceed their limit), so each problem gets a fresh one, and the expected
values are those of this problem alone.
"""

from __future__ import annotations

import time

from hm_tasks.execution.extract import extract_program
from hm_tasks.execution.problem import FAIL, PASS, TIMEOUT, Problem, Verdict

# HumanEval/32 asks for any root of a polynomial. evalplus 0.3.1 has the rule but forgets to note
# the test as passed, so no program ever passes; as a plain comparison with True it works.
ROOT_PROBLEM = "find_zero"
ROOT_CHECK = """
import math as _math
_answer = find_zero
def find_zero(xs):
    x = _answer(xs)
    return abs(sum([c * _math.pow(x, i) for i, c in enumerate(xs)])) <= {atol}
"""


def check_problem(problem: Problem, texts: list[str]) -> list[Verdict]:
    """Return one verdict for each text, in order; identical programs are run once.

    Raises:
        Exception: whatever the reference solution raises, as then nothing can be scored.
    """
    from evalplus.config import DEFAULT_MIN_TIME_LIMIT
    from evalplus.eval import untrusted_check
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
    from evalplus.gen.util import trusted_exec

    reference = problem.prompt + problem.canonical_solution
    not_none = problem.oracle == "mbpp" and problem.entry_point in MBPP_OUTPUT_NOT_NONE_TASKS
    expected = {
        inputs: trusted_exec(
            reference,
            getattr(problem, inputs),
            problem.entry_point,
            record_time=True,
            output_not_none=not_none,
        )
        for inputs in ("base_input", "plus_input")
    }

    any_root = problem.oracle == "humaneval" and problem.entry_point == ROOT_PROBLEM

    def confirmed(program: str, inputs: str) -> tuple[str, list]:
        began = time.monotonic()
        result = run(program, inputs)
        if result[0] != PASS and time.monotonic() - began >= DEFAULT_MIN_TIME_LIMIT:
            # evalplus's limits are wall-clock times: a busy machine must not decide alone.
            result = run(program, inputs)
        return result

    def run(program: str, inputs: str) -> tuple[str, list]:
        values, times = expected[inputs]
        if any_root:
            program += ROOT_CHECK.format(atol=problem.atol)
            values = [True] * len(values)
        status, details = untrusted_check(
            "none" if any_root else problem.oracle,
            program,
            getattr(problem, inputs),
            problem.entry_point,
            expected=values,
            atol=0 if any_root else problem.atol,
            ref_time=times,
            fast_check=True,
        )
        return status, list(details)

    verdicts: dict[str, Verdict] = {}
    programs = [extract_program(text, problem.entry_point) for text in texts]
    for program in programs:
        if program in verdicts:
            continue
        if not program.strip():
            verdicts[program] = Verdict(program, FAIL, FAIL, "no program in the text")
            continue
        base, plus = confirmed(program, "base_input"), confirmed(program, "plus_input")
        reason = _reason("base", base, len(problem.base_input)) or _reason(
            "extra", plus, len(problem.plus_input)
        )
        verdicts[program] = Verdict(program, base[0], plus[0], reason)
    return [verdicts[program] for program in programs]


def _reason(kind: str, result: tuple[str, list], total: int) -> str:
    status, details = result
    if status == PASS:
        return ""
    if status == TIMEOUT:
        return f"{kind} tests: out of time or memory after {len(details)} of {total}"
    if not details:
        return "the program does not load, or does not define the function"
    return f"{kind} test {len(details)} of {total} failed"
