"""The program of a trace is found in every form that models give, and nothing else is taken for one."""

import time

import pytest

from hm_tasks.traces.markers import BEGIN_SOLUTION, BEGIN_THOUGHT, END_THOUGHT, join
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


@pytest.mark.campaign  # a claim about time
def test_a_long_text_takes_little_time():
    text = ("```python\nx = 1\n" + "`` ` word\n" * 50 + "```\n") * 2000
    began = time.process_time()
    program_of(text, "f")
    assert time.process_time() - began < 2


G = "def f(x):\n    return 0"  # a draft


def fenced(code, fence="```", label="python"):
    return f"{fence}{label}\n{code}\n{fence}"


THOUGHTS = {
    "a fenced draft": f"<think>\n{fenced(G)}\n</think>\n{F}",
    "a fenced draft and a fenced answer": f"<think>\n{fenced(G)}\n</think>\n{fenced(F)}",
    "a draft behind no beginning": f"Hm.\n{fenced(G)}\n</think>\n{fenced(F)}",
    "a draft that is never closed": f"<think>\n```python\n{G}\n</think>\n{fenced(F)}",
    "Magistral's": f"[THINK]{fenced(G)}[/THINK]{fenced(F)}",
    "gpt-oss's": f"<|channel|>analysis<|message|>{fenced(G)}<|end|><|start|>assistant"
    f"<|channel|>final<|message|>{fenced(F)}",
    "another name": f"<reasoning>\n{fenced(G)}\n</reasoning>\n{fenced(F)}",
    "our form": f"{BEGIN_THOUGHT}\n{fenced(G)}\n{END_THOUGHT}\n{fenced(F)}",
    "two thoughts": f"<think>a</think>\n{fenced(G)}\n<think>No.</think>\n{fenced(F)}",
    "the form spoken of": f"<think>Then {BEGIN_SOLUTION} and {fenced(G)}.\n</think>\n{join('So.', F)}",
}


@pytest.mark.parametrize("text", THOUGHTS.values(), ids=THOUGHTS)
def test_a_program_is_read_from_behind_the_thought(text):
    assert program_of(text, "f")[0] == F


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{fenced(G)}\n</think>\nI cannot solve it.",
        f"<think>\n{fenced(G)}",
        f"<think>\n{fenced(G)}\n</think>",
        f"{BEGIN_THOUGHT}\n{fenced(G)}",
        f"{BEGIN_THOUGHT}\n{fenced(G)}\n{END_THOUGHT}\nI do not know.",
        f"<think>a</think>\n{BEGIN_THOUGHT}\n{fenced(G)}",
    ],
)
def test_a_draft_without_an_answer_is_no_program(text):
    assert program_of(text, "f")[0] == ""


def test_the_reasoning_is_what_was_thought_without_the_markers():
    assert program_of(f"<think>\nAdd.\n</think>\n\nSo:\n{fenced(F)}", "f") == (F, "Add.\n\nSo:")
    assert program_of(f"<think>Hm.</think>\n{join('Add one.', F)}", "f") == (F, "Add one.")


PROGRAMS = {
    "a docstring with a fence": (
        'def f(x):\n    """Example:\n    ```\n    f(1)\n    ```\n    """\n    return x'
    ),
    "a docstring with a labelled fence": (
        'def f(x):\n    """\n    ```python\n    f(1)\n    ```\n    """\n    return x'
    ),
    "a docstring with fences at the margin": ("'''\n```\nf(1)\n```\n'''\ndef f(x):\n    return x"),
    "a text with a fence": 'def f(x):\n    return """\n```\n"""',
    "a marker of thoughts in a string": 'def f(x):\n    return x.split("</think>")[-1]',
    "a pattern of thoughts": "def f(x):\n    return re.sub(r'<think>.*?</think>', '', x)",
    "a marker of the form in a string": f'def f(x):\n    return x.split("{BEGIN_SOLUTION}")[-1]',
    "a docstring that shows a thought": 'def f(x):\n    """\n    <think>\n    </think>\n    """',
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("fence", ["```", "````", "~~~", "~~~~~"])
def test_a_block_ends_where_its_code_does(program, fence):
    text = f"So:\n{fenced(program, fence)}\nIt is right."
    assert program_of(text, "f") == (program, "So:")
    assert program_of(f"<think>\nHm.\n</think>\n{text}", "f")[0] == program


def test_a_cut_off_answer_with_a_fence_in_its_docstring_keeps_what_there_is():
    program = PROGRAMS["a docstring with a fence"]
    assert program_of(f"```python\n{program}", "f")[0] == program


def test_a_docstring_that_is_never_closed_takes_nothing_of_the_words_behind_the_block():
    code = 'def f(x):\n    """Add.\n    return x'
    assert program_of(f"{fenced(code)}\nThat is all.\n```\n2\n```", "f")[0] == code


@pytest.mark.parametrize("mark", ["   ", "1. ", "- ", "    "])
def test_a_block_in_a_list_loses_the_lists_indentation_and_no_more(mark):
    program = 'def f(x):\n    return """\nleft\n"""'
    lines = [" " * len(mark) + line if line != "left" else line for line in program.split("\n")]
    text = "\n".join([f"{mark}```python", *lines, " " * len(mark) + "```", "Done."])
    assert program_of(text, "f")[0] == program


def test_blocks_of_markdown_are_looked_into_and_tildes_may_hold_backticks():
    assert program_of(f"````markdown\nSo:\n{fenced(F)}\n````", "f")[0] == F
    assert program_of(f"~~~text\n{fenced(G)}\n~~~\n{fenced(F)}", "f")[0] == F


def test_a_block_that_is_not_closed_ends_where_the_next_one_begins():
    assert program_of(f"```python\n{G}\n```python\n{F}\n```", "f")[0] == F
    assert program_of(f"```python\n{F}\n``` and that is all", "f")[0] == F
