"""The problems of this project: their answers are right, and the harness scores them from any folder."""

import ast
import operator
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager

import hm_tasks
from hm_tasks.any_passk.demo_math import problems
from tests.instances import instance

OURS = Path(hm_tasks.__file__).parent
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
PROBLEMS = list(problems()["test"])


def value(node: ast.AST) -> Fraction:
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    assert isinstance(node, ast.BinOp)
    return OPERATORS[type(node.op)](value(node.left), value(node.right))


def steps(working: str) -> int:
    return sum(isinstance(node, ast.BinOp) for node in ast.walk(ast.parse(working)))


def test_the_answers_are_the_values_of_the_workings():
    stated = [Fraction(problem["answer"]) for problem in PROBLEMS]
    assert stated == [value(ast.parse(p["working"], mode="eval").body) for p in PROBLEMS]


def test_there_are_84_of_four_grades_and_no_question_twice():
    assert len({problem["question"] for problem in PROBLEMS}) == len(PROBLEMS) == 84
    grades = Counter(problem["grade"] for problem in PROBLEMS)
    assert sorted(grades) == [1, 2, 3, 4]
    assert min(grades.values()) >= 10
    assert all(steps(p["working"]) == 1 for p in PROBLEMS if p["grade"] == 1)
    assert all(steps(p["working"]) >= 3 for p in PROBLEMS if p["grade"] == 4)


@pytest.fixture
def task(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    manager = TaskManager(include_path=OURS, include_defaults=False)
    return manager.load(["demo_math"])["tasks"]["demo_math"]


@pytest.mark.parametrize(
    ("answer", "said", "scores"),
    [
        ("12", "7 + 5 = 12. The answer is 12.", (1, 1)),
        ("12", "There are **12** pencils", (1, 0)),
        ("12", "7 + 5 = 12, so not 13.", (0, 0)),
        ("2160", "The answer is 2,160.00 cars.", (1, 1)),
        ("13.5", "That makes $13.50", (1, 0)),
        ("3/4", "The answer is 3/4 of it.", (1, 1)),
        ("3/4", "The answer is 6/8.", (0, 0)),
        ("12", "No idea.", (0, 0)),
    ],
)
def test_the_harness_reads_the_last_number_or_the_one_behind_the_answer_is(
    task, answer, said, scores
):
    doc = next(one for one in task.test_docs() if one["answer"] == answer)
    request = instance("generate_until", doc, (), 0, metadata=("demo_math", 0, 1), resps=[said])
    task._instances = [request]
    task.apply_filters()
    found = {
        name: task.process_results(doc, [read])["exact_match"]
        for name, read in request.filtered_resps.items()
    }
    assert found == dict(zip(("flexible-extract", "strict-match"), scores, strict=True))
