"""The form of a training text: what is joined comes apart as it was, and nothing else does."""

import itertools

import pytest

from hm_tasks.traces.markers import MARKERS, join, split

PROGRAM = "def f(xs):\n    return xs[-1]  # the last"


@pytest.mark.parametrize(
    ("reasoning", "program"),
    [
        ("Take the last.", PROGRAM),
        ("Two\n\nparagraphs, and ```python\ncode\n``` in them.", PROGRAM),
        ("", PROGRAM),
        ("A thought alone.", ""),
        ("Indented.", "    return xs[-1]"),
        ("A fence inside.", 'x = """\n```python\n1\n```\n"""\nprint(x)'),
        ("It ends in a fence.", 'x = """\n```"""'),
        ("A fence as last line.", "x\n```"),
        ("Other < tags > <begin_of_thought>", "x = '<begin_of_slow_though>'"),
        ("Form feeds \f and \u2028 stay.", "x = '\f\u2028'"),
    ],
)
def test_what_is_joined_comes_apart_as_it_was(reasoning, program):
    assert split(join(reasoning, program)) == (reasoning, program)


def test_the_canonical_text_is_this_one():
    assert join(" Why.\n", f"\n{PROGRAM}\n\n") == (
        "<begin_of_slow_thought>\nWhy.\n<end_of_slow_thought>\n<begin_of_solution>\n"
        f"```python\n{PROGRAM}\n```\n<end_of_solution>"
    )


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_inside_is_refused_by_name(marker):
    with pytest.raises(ValueError, match=f"program contains {marker}"):
        join("Why.", f"x = '{marker}'")
    with pytest.raises(ValueError, match=f"reasoning contains {marker}"):
        join(f"So {marker} it is.", "x = 1")


@pytest.mark.parametrize(
    "solution",
    [
        f"```python\n{PROGRAM}\n```",
        f"\n\n```py\n{PROGRAM}\n\n```  \n",
        f"```\n{PROGRAM}\n  ```",
        f"\n{PROGRAM}\n",
        f"```python\r\n{PROGRAM}\r\n```\r\n",
    ],
)
def test_the_fence_may_look_otherwise_or_be_missing(solution):
    begin, end, begin_solution, end_solution = MARKERS
    text = f" {begin} Why. {end}{begin_solution}{solution}{end_solution}\n"
    assert split(text) == ("Why.", PROGRAM)


def test_any_other_order_or_number_of_markers_is_no_such_form():
    right = tuple(MARKERS)
    assert split(" a ".join(right)) is None, "a word between thought and solution"
    for n in range(6):
        for markers in itertools.product(right, repeat=n):
            assert (split(" ".join(markers)) is not None) == (markers == right)


@pytest.mark.parametrize("text", ["Sure! {}", "{} I hope this helps.", "```\n{}\n```", "", "none"])
def test_words_outside_the_markers_are_no_such_form(text):
    assert split(text.format(join("Why.", PROGRAM))) is None
