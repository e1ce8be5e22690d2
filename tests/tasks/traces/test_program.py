"""The program of a trace is found in every form that models give, and nothing else is taken for one."""

import time

import pytest

from hm_tasks.curation.markers import BEGIN_SOLUTION, END_THOUGHT, join
from hm_tasks.traces.program import program_of

F = "def f(x):\n    return x + 1"
READ = "n = int(input())\nfor i in range(n):\n    print(i)"


def test_a_training_text_gives_back_its_parts():
    assert program_of(join("Add one.", F), "f") == (F, "Add one.")
    assert program_of(join("Count.", READ), "") == (READ, "Count.")


def test_a_completion_that_goes_on_from_the_first_marker_and_stops_at_the_last_one():
    text = join("Add one.", F).split("\n", 1)[1].rsplit("\n", 1)[0]
    assert program_of(text, "f") == (F, "Add one.")


def test_a_solution_without_a_fence_and_words_after_the_thought():
    text = f"Add one.\n{END_THOUGHT}\nHere it is.\n{BEGIN_SOLUTION}\n{F}\n"
    assert program_of(text, "f") == (F, "Add one.")


def test_the_last_block_that_defines_the_function_is_taken_not_the_example_after_it():
    first, last = "```python\ndef f(x): pass\n```", "```py\nf(1)\n```"
    text = f"First\n{first}\nBetter:\n```Python\n{F}\n```\nUse:\n{last}\n"
    program, reasoning = program_of(text, "f")
    assert program == F
    assert reasoning == f"First\n{first}\nBetter:"


def test_the_last_block_is_taken_where_programs_read_standard_input():
    text = f"```python\nx = 1\n```\nSo:\n```python\n{READ}\n```\nIt prints\n```\n0\n1\n```\n"
    assert program_of(text, "")[0] == READ


@pytest.mark.parametrize("label", ["", "python3", "py", "{.python}", "python title='a'"])
def test_fences_of_all_labels_for_python(label):
    assert program_of(f"So:\n```{label}\n{F}\n```", "f") == (F, "So:")


def test_a_block_of_another_language_is_no_program():
    assert program_of("```cpp\nint f(int x) { return x + 1; }\n```", "f")[0] == ""


def test_an_answer_that_was_cut_off_keeps_what_there_is():
    assert program_of(f"So:\n```python\n{F[:-4]}", "f") == (F[:-4].rstrip(), "So:")


def test_an_indented_fence_is_a_block_too():
    block = "\n".join(f"   {line}" for line in f"```python\n{F}\n```".split("\n"))
    assert program_of(f"1. So:\n{block}\n", "f") == (F, "1. So:")


def test_code_without_a_fence_is_found_among_words():
    assert program_of(f"Add one to it.\n\n{F}\n\nThat is all!", "f") == (F, "Add one to it.")
    assert program_of(f"It counts up to n.\n\n{READ}\n\nThat is all!", "") == (
        READ,
        "It counts up to n.",
    )


@pytest.mark.parametrize("entry_point", ["f", ""])
@pytest.mark.parametrize(
    "text", ["", "I do not know.", "Sure\nyes\nno", "x\n\ny", "\ud800", "a\0b", "```", "(" * 5000]
)
def test_words_are_no_program(text, entry_point):
    assert program_of(text, entry_point)[0] == ""


def test_nothing_is_taken_out_of_a_block():
    program = f"{F}\n\nif f(1) != 2:\n    raise ValueError"
    assert program_of(f"```python\n{program}\n```", "f")[0] == program


def test_a_long_text_takes_little_time():
    text = ("```python\nx = 1\n" + "`` ` word\n" * 50 + "```\n") * 2000
    began = time.process_time()
    program_of(text, "f")
    assert time.process_time() - began < 2
