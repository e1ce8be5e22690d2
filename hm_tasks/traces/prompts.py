"""Asking for a thought and then a program, in both styles.

>>> completion_prompt("Add one to a number.", "inc").split("Problem:")[-1].splitlines()[1:3]
['Add one to a number.', 'The program must define the function `inc`; it reads and prints nothing.']

Chat models are told the form of the answer. A base model is shown it, by a solved example, and
continues where the thought begins. The form is that of a training text (`hm_tasks.traces.markers`);
answers that do not keep to it are read as well (`hm_tasks.traces.program`).
"""

from __future__ import annotations

from typing import Any

from hm_models.prompts.rendered import ApplyChatTemplate, asked, rendered
from hm_tasks.code_passk.prompts import CodeRequest
from hm_tasks.traces.markers import BEGIN_SOLUTION, BEGIN_THOUGHT, END_SOLUTION, END_THOUGHT, join

INSTRUCTION = f"""\
Solve the following programming problem in Python. Think first: work through the problem step by step, \
consider cases that are easy to miss, and only then write the program.

{{problem}}

{{wanted}} Answer in this form, with the whole program in one code block:

{BEGIN_THOUGHT}
your reasoning
{END_THOUGHT}
{BEGIN_SOLUTION}
```python
the program
```
{END_SOLUTION}"""
FUNCTION = "The program must define the function `{}`; it reads and prints nothing."
STDIN = (
    "The program must read its input from standard input and print its answer to standard output."
)

HEAD = "Problem:\n"
EXAMPLE_FUNCTION = (
    "Return the second largest of the different numbers in a list, or None if there is none.",
    "second_largest",
    "Equal numbers count once, so the list becomes a set first. After sorting, the second largest is "
    "the item before the last. With fewer than two different numbers there is no such item, and the "
    "answer is None.",
    "def second_largest(numbers):\n"
    "    different = sorted(set(numbers))\n"
    "    return different[-2] if len(different) > 1 else None",
)
EXAMPLE_STDIN = (
    "The first line holds a number n, the second line n numbers. Print the second largest of the "
    "different ones among them, or `none` if there is none.",
    "",
    "Only the second line is needed. Equal numbers count once, so the numbers become a set first. "
    "After sorting, the second largest is the item before the last. With fewer than two different "
    "numbers there is no such item, and the answer is `none`.",
    "input()\n"
    "different = sorted(set(map(int, input().split())))\n"
    'print(different[-2] if len(different) > 1 else "none")',
)


def wanted(entry_point: str) -> str:
    """What kind of program is asked for, in a sentence."""
    return FUNCTION.format(entry_point) if entry_point else STDIN


def completion_prompt(problem: str, entry_point: str) -> str:
    """A solved example, and the problem up to where its thought begins."""
    text, name, thought, program = EXAMPLE_FUNCTION if entry_point else EXAMPLE_STDIN
    example = f"{HEAD}{text}\n{wanted(name)}\n\n{join(thought, program)}"
    return f"{example}\n\n{HEAD}{problem.strip()}\n{wanted(entry_point)}\n\n{BEGIN_THOUGHT}\n"


class TraceRequest(CodeRequest):
    """A request for a trace, in the style that the model takes."""

    def chat_prompt(self, apply_chat_template: ApplyChatTemplate, whose: str) -> Any:
        # Not by `format`: problems have braces.
        user = INSTRUCTION.replace("{wanted}", wanted(self.doc["entry_point"]), 1)
        user = user.replace("{problem}", self.doc["prompt"].strip(), 1)
        return rendered(apply_chat_template, asked(user, self.system), whose)

    def completion_prompt(self) -> str:
        return completion_prompt(self.doc["prompt"], self.doc["entry_point"])

    def of_the_problem(self) -> list[str]:
        return [self.doc["prompt"].strip(), wanted(self.doc["entry_point"])]
