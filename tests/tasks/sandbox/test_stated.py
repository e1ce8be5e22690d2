"""What each rule of comparing printed text accepts."""

import pytest

from hm_tasks.sandbox.inside.whole_program import normalised
from hm_tasks.sandbox.judging.oracle import Oracle
from hm_tasks.sandbox.problem import APPS_TEXT, STDOUT, TOKENS

RULES = {"e": STDOUT, "t": TOKENS, "a": APPS_TEXT}

# Printed, expected, and which of exact, tokens and apps take it for right.
CASES = [
    ("1 2", "1 2", "eta"),
    ("1 2  \n\n", "1 2\n", "eta"),
    ("1 2\r\n3\r\n", "1 2\n3\n", "eta"),
    ("  1 2", "1 2", "ta"),
    ("\n1 2", "1 2", "ta"),
    ("1\n\n2", "1\n2", "ta"),
    ("1  2", "1 2", "ta"),
    ("1\t2", "1 2", "ta"),
    ("1\n2", "1 2", "t"),
    ("0.5", "0.50", "ta"),
    ("2", "2.0", "ta"),
    ("1e-3", "0.001", "ta"),
    ("-0.0", "0.0", "ta"),
    ("007", "7", "a"),
    ("0.3333331", "0.3333333", "a"),
    ("1000001", "1000000", "a"),
    ("1 1000001", "1 1000000", ""),
    ("0.3334 a", "0.3333 a", ""),
    ("2 1", "1 2", "a"),
    ("b\na", "a\nb", "a"),
    ("a a b", "a b", "a"),
    ("Yes", "YES", ""),
    ("1 2", "1", ""),
    ("", "1", ""),
    ("nan", "nan", "eta"),
    ("1_0", "10", "a"),
    ("inf", "1e400", "a"),
    ("", "", "eta"),
]


@pytest.mark.parametrize(("out", "expected", "accepted"), CASES)
def test_each_rule_accepts_what_the_table_says(out, expected, accepted):
    for letter, rule in RULES.items():
        right = Oracle(rule, "", 0.0).matches([""], normalised(out), normalised(expected))
        assert right == (letter in accepted), rule


@pytest.mark.parametrize(
    ("out", "expected", "exact", "tokens"),
    [
        ("0.33334", "0.33333", True, True),
        ("33333.4", "33333.3", True, True),  # by a share of itself
        ("1", "1.00001", True, True),
        ("1.00001", "1", False, False),
        ("1000001", "1000000", False, False),
        ("1000000.5", "1000000", False, False),
        ("0.33334 1", "0.33333\n1", False, True),
        ("0.33334  1", "0.33333 1", False, True),
        ("0.33334\n\n1", "0.33333\n1", False, True),
        ("0.33334 2", "0.33333 1", False, False),
        ("nan", "0.5", False, False),
        ("0.4", "0.33333", False, False),
        ("-0.00001", "0.00001", True, True),
    ],
)
def test_a_tolerance_leaves_whole_numbers_and_line_breaks_alone(out, expected, exact, tokens):
    found = [Oracle(rule, "", 1e-4).matches([""], out, expected) for rule in (STDOUT, TOKENS)]
    assert found == [exact, tokens]


def test_what_is_no_text_is_equal_or_not():
    for rule in RULES.values():
        assert not Oracle(rule, "", 1.0).matches([""], 1, "1")
        assert not Oracle(rule, "", 1.0).matches([""], None, "")
