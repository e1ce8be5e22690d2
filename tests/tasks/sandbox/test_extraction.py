"""A text that takes the parser too long holds no program, and its neighbours keep theirs."""

import pytest

from hm_metrics.verdict import FAIL, PASS
from hm_tasks.sandbox.extract import TooMuchWork, extract_program, longest_stretch
from hm_tasks.sandbox.judging import extraction
from hm_tasks.sandbox.judging.extraction import TooMuch, extract_programs
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem

GOOD = "def f(x):\n    return x + 1\n"
PROBLEM = Problem("Mine/1", "", "f", GOOD, [[1]], [[2]], 0)
# Minutes to hours, were there no limit.
LONG = {
    "brackets": "(\n" * 5000,
    "brackets that are closed": "(\n" * 3000 + ")\n" * 3000,
    "other brackets": "x = [\n{\n" * 2500,
    "lines that go on": "\\\n" * 20_000,
    "open strings and brackets": "x = (\n'''\n" * 2000,
}


@pytest.mark.parametrize("name", LONG)
def test_a_text_that_would_take_hours_holds_no_program(name):
    assert extract_program(LONG[name], "f") == ""


def test_the_search_says_that_it_gave_up():
    with pytest.raises(TooMuchWork, match="takes too long"):
        longest_stretch(LONG["brackets"])


def test_a_long_honest_text_is_looked_through():
    text = "Well:\n```python\n" + "".join(
        f"def g{n}(x):\n    return x + {n}\n\n" for n in range(2000)
    )
    assert "def f(x)" in extract_program(text + GOOD + "```\n", "f")


def slow(text: str, entry_point: str) -> str:
    """In place of the search: what the parser does with some texts, in one call."""
    if "slow" in text:
        pow(3, 10**10)
    if "large" in text:
        bytearray(1 << 40)
    if "crash" in text:
        import ctypes

        ctypes.string_at(0)
    return extract_program(text, entry_point)


def test_what_is_too_much_for_one_text_costs_the_others_nothing(monkeypatch):
    monkeypatch.setattr(extraction, "extract_program", slow)
    monkeypatch.setattr(extraction, "SECONDS", 0.3)
    texts = [GOOD, "slow", GOOD, "large", "crash", GOOD]
    found = extract_programs(texts, "f")
    assert [isinstance(one, TooMuch) for one in found] == [text != GOOD for text in texts]
    assert {one.strip() for one in found if isinstance(one, str)} == {GOOD.strip()}
    assert found[1].reason == "no program in the text: looking for one takes too much time"
    assert "memory" in found[3].reason


def test_such_a_text_fails_and_is_counted_as_an_empty_program():
    ((long, good),) = check_all([(PROBLEM, [LONG["brackets"], GOOD])], 1, "rlimit")
    assert (long.base_status, long.plus_status, long.program) == (FAIL, FAIL, "")
    assert long.reason.startswith("no program in the text")
    assert good.base_status == PASS
