"""Every canonical solution passes, as a program and as a model's answer through the whole path."""

import pytest

from hm_metrics.verdict import PASS
from hm_tasks.sandbox.extract import extract_program
from hm_tasks.sandbox.pool import check_all
from tests.tasks.code_passk.benchmarks import load

# Its helper is a generator without `return`, and evalplus's sanitizer, whose text is the protocol,
# drops functions without one. The program itself passes (see the second test).
CUT_BY_THE_SANITIZER = {"mbppplus_passk": ["Mbpp/630"]}
WHOLE = ["mbppplus_passk", "humanevalplus_passk"]
TASKS = ["demo_passk", *(pytest.param(name, marks=pytest.mark.engine) for name in WHOLE)]


@pytest.mark.parametrize("style", ["chat", "completion"])
@pytest.mark.parametrize("name", TASKS)
def test_canonical_solutions_pass_from_prompt_to_verdict(name, style, monkeypatch):
    task = load(name)
    task.build_all_requests()
    for request in task.instances:
        solution = task.doc_to_target(request.doc)
        request.use_prompt_style(style, lambda messages: messages[-1]["content"])
        complete = request.doc["prompt"] + solution
        request.resps = [f"{complete}\n```" if style == "chat" else solution]
    failed = failures(task)
    if failed != CUT_BY_THE_SANITIZER.get(name, []):
        # The checker's limits are wall-clock times, and Mbpp/255 alone takes seconds and gigabytes:
        # what failed beside others is looked at once more by itself.
        task._instances = [r for r in task.instances if r.doc["task_id"] in failed]
        monkeypatch.setattr("hm_tasks.sandbox.judging.judge_process.usable_cores", lambda: 1)
        failed = failures(task)
    assert failed == CUT_BY_THE_SANITIZER.get(name, [])


def failures(task) -> list[str]:
    return [
        request.doc["task_id"]
        for request in task.apply_filters()
        for verdict in request.filtered_resps["scored"]
        if (verdict["base_status"], verdict["plus_status"]) != (PASS, PASS)
    ]


def test_the_solution_that_the_sanitizer_cuts_passes_as_a_program():
    task = load("mbppplus_passk")
    problem = task._problems["Mbpp/630"]
    program = problem.prompt + problem.canonical_solution
    assert "def adjac" not in extract_program(program, problem.entry_point)
    # The same function with a bare `return` at its end is one that the sanitizer keeps.
    kept = program.replace("     yield sub", "     yield sub\n     return")
    ((verdict,),) = check_all([(problem, [kept])])
    assert (verdict.base_status, verdict.plus_status) == (PASS, PASS)
