"""Two statuses and a reason become one word."""

import pytest

from hm_metrics.verdict import Verdict
from hm_tasks.curation.candidate import CORRECT, TIMEOUT, UNSCORED, WRONG
from hm_tasks.curation.verify import status_of
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem


@pytest.mark.parametrize(
    ("base", "plus", "word"),
    [
        ("pass", "pass", CORRECT),
        ("pass", "fail", WRONG),
        ("fail", "pass", WRONG),
        ("timeout", "pass", TIMEOUT),
        ("fail", "timeout", TIMEOUT),
        ("unscored", "unscored", UNSCORED),
    ],
)
def test_both_kinds_of_tests_count(base, plus, word):
    assert status_of(Verdict("p", base, plus)) == word


def test_a_program_that_is_late_is_a_timeout_though_evalplus_calls_it_a_failure():
    reference = "def f(x):\n    return x\n"
    problem = Problem("Mine/1", "", "f", reference, [[1]], [[2]], 0)
    late, wrong = "def f(x):\n    while True: pass\n", "def f(x):\n    return 'out'\n"
    ((verdict, other),) = check_all([(problem, [late, wrong])], 1, sanitize=False)
    assert verdict.base_status == "fail"
    assert status_of(verdict) == TIMEOUT
    assert status_of(other) == WRONG
