"""A rewriter's answer: accepted when the form is right and the program is the sample's own."""

import pytest

from hm_tasks.curation.rewriting import is_unaltered, read
from hm_tasks.traces.markers import MARKERS, join

PROGRAM = 'def f(xs):\n    """The last."""\n    return xs[-1]  # from the end'
BEGIN, END, BEGIN_SOLUTION, END_SOLUTION = MARKERS
RIGHT = join("Take the last.", PROGRAM)


def test_a_right_answer_is_accepted_with_its_thought():
    found = read(f"\n{RIGHT}\n", PROGRAM)
    assert (found.kind, found.reasoning) == ("rewritten", "Take the last.")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("", "markers missing"),
        ("I can't.", "markers missing"),
        (RIGHT.replace(END, ""), "markers missing"),
        (RIGHT.replace("slow_thought", "thought"), "markers missing"),
        (RIGHT[: RIGHT.index(END_SOLUTION)], "markers missing"),
        (RIGHT + "\n" + RIGHT, "markers repeated"),
        (RIGHT.replace("Take", f"{BEGIN} Take"), "markers repeated"),
        (f"{BEGIN_SOLUTION}{PROGRAM}{END_SOLUTION}{BEGIN}So.{END}", "markers out of order"),
        ("Here it is:\n" + RIGHT, "text outside the markers"),
        (RIGHT + "\nNote that it fails on [].", "text outside the markers"),
        (RIGHT.replace(END, f"{END}\nNow"), "text outside the markers"),
        (RIGHT.replace("Take the last.", ""), "empty thought"),
        (RIGHT.replace("Take the last.", "...\n\n- "), "empty thought"),
        (RIGHT.replace(PROGRAM, ""), "program dropped"),
        (RIGHT.replace(f"```python\n{PROGRAM}\n```", ""), "program dropped"),
        (RIGHT.replace(f"```python\n{PROGRAM}\n```", "See above."), "program altered"),
        (RIGHT.replace("```python", "Here:\n```python"), "program altered"),
        (RIGHT.replace("xs[-1]", "xs[0]"), "program altered"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told_by_kind(answer, kind):
    found = read(answer, PROGRAM)
    assert found.kind == kind
    assert found.words == answer


def test_a_reasoning_models_own_thinking_before_the_form_does_not_count():
    thinking = f"<think>First {BEGIN}, then {END_SOLUTION}, I guess.</think>\n\n"
    assert read(thinking + RIGHT, PROGRAM).kind == "rewritten"
    assert read(thinking.removeprefix("<think>") + RIGHT, PROGRAM).kind == "rewritten"
    assert read(f"{thinking}So:\n{RIGHT}", PROGRAM).kind == "markers repeated"


@pytest.mark.parametrize(
    "copy",
    [
        PROGRAM,
        PROGRAM + "\n\n",
        PROGRAM.replace("  # from the end", ""),
        PROGRAM.replace("return xs[-1]", "return (xs[ -1 ])"),
        PROGRAM.replace("\n", "\r\n"),
    ],
)
def test_comments_and_layout_are_free(copy):
    assert is_unaltered(copy, PROGRAM)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("xs", "ys"),
        ("f(", "g("),
        ("-1", "-2"),
        ("-1", "-1.0"),
        ("The last.", "The first."),
        ('    """The last."""\n', ""),
        ("f(xs)", "f(xs: list)"),
        ("xs[-1]", "xs[-1] if xs else None"),
        ("return", "return not"),
        ("  #", "\nprint(f([1]))  #"),
        (PROGRAM, PROGRAM + "\n    return None"),
        (PROGRAM, "pass"),
        (PROGRAM, "def f(xs) return"),
    ],
)
def test_a_name_a_value_a_docstring_or_a_line_is_not(before, after):
    assert before in PROGRAM
    assert not is_unaltered(PROGRAM.replace(before, after), PROGRAM)


def test_white_space_within_a_string_is_a_value():
    assert not is_unaltered('x = """a\nb"""', 'x = """a  \nb"""')
    assert not is_unaltered('x = "a\\nb"', 'x = "a\\x0cb"')


def test_what_does_not_parse_is_compared_line_by_line():
    broken = "def f(xs)\n    return xs"
    assert is_unaltered("def f(xs)  \n    return xs\n", broken)
    assert not is_unaltered("def f(xs):\n    return xs", broken), "it was mended"
    assert not is_unaltered("def f(xs)\n  return xs", broken)
    deep = "x = " + "(" * 5000 + ")" * 5000
    assert is_unaltered(deep, deep)
    assert is_unaltered("x = '\ud800'", "x = '\ud800'")
