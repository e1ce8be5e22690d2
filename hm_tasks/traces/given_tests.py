"""The tests of one problem, in the forms that a user's file may have.

    >>> found = tests_of({"entry_point": "f", "tests": ["assert f(1, [2]) == 3"]})
    >>> found.inputs, found.outputs
    ([[1, [2]]], [3])

Sources of the forms: MBPP (assertions), APPS and TACO (`input_output`, with `fn_name` for functions).
"""

from __future__ import annotations

import ast
import dataclasses
import re
import warnings
from typing import Any

from hm_models.files.text_files import parse_json
from hm_tasks.sandbox.inside.whole_program import normalised
from hm_tasks.sandbox.isolation.limits import Limits
from hm_tasks.sandbox.problem import APPS, APPS_TEXT, JSON, STDOUT, TOKENS

FORMS = ("inputs", "tests", "input_output")
# Rules of comparison, for what is printed and for what functions return: docs/traces.md.
RULES = {
    "stdout": {"exact": STDOUT, "tokens": TOKENS, "apps": APPS_TEXT},
    "function": {"exact": JSON, "apps": APPS},
    "assertion": {"exact": "none"},
}
IMPORTS = {"none": False, "common": True}
_WHOLE_NUMBER = re.compile(r"-?\d+", re.ASCII)
SHOWN = 80  # characters of a value in a message


class BadProblem(ValueError):
    """A line that is no problem; the message is a sentence that begins with what is wrong."""


@dataclasses.dataclass(frozen=True)
class GivenTests:
    """Arguments and right outputs, one for each test, and how they are compared.

    `entry_point` is empty where programs read standard input, `common_imports` as in a `Problem`.
    """

    entry_point: str
    inputs: list[list[Any]]
    outputs: list[Any]
    oracle: str
    common_imports: bool = False


def tests_of(record: dict[str, Any]) -> GivenTests:
    """The tests that a record states.

    Raises:
        BadProblem: there are none, in two forms, or they cannot be read.
    """
    given = [form for form in FORMS if record.get(form) is not None]
    if len(given) != 1:
        problem = f"has tests in {' and '.join(given)}" if given else "has no tests"
        raise BadProblem(f"the problem {problem}. Give one of {', '.join(FORMS)}, or base_input.")
    if given == ["input_output"]:
        return _from_input_output(record)
    entry_point = _entry_point(record.get("entry_point"), "entry_point")
    if given == ["tests"]:
        inputs, outputs = _from_assertions(record["tests"], entry_point)
        rule = _chosen(record, "compare", RULES["assertion"], "exact")
    else:
        inputs, outputs = _paired(record, "inputs", "outputs")
        inputs = _argument_lists(inputs, "inputs")
        rule = _chosen(record, "compare", RULES["function"], "exact")
    return GivenTests(
        entry_point, inputs, outputs, rule, _chosen(record, "imports", IMPORTS, "none")
    )


def _chosen(record: dict[str, Any], field: str, known: dict[str, Any], default: str) -> Any:
    name = record.get(field, default)
    if not isinstance(name, str) or name not in known:
        raise BadProblem(
            f"field `{field}` is {_shown(name)}. Known for this form of tests: {', '.join(known)}."
        )
    return known[name]


def _entry_point(name: Any, field: str) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise BadProblem(
            f"field `{field}` is {_shown(name)}. Name the function that is tested; cases for programs "
            "that read standard input belong into `input_output`."
        )
    return name


def _paired(record: dict[str, Any], first: str, second: str) -> tuple[list[Any], list[Any]]:
    for field in (first, second):
        if not isinstance(record.get(field), list):
            raise BadProblem(f"field `{field}` is {_shown(record.get(field))}. Give a list.")
    inputs, outputs = record[first], record[second]
    if len(inputs) != len(outputs):
        raise BadProblem(
            f"`{first}` has {len(inputs)} items and `{second}` {len(outputs)}. Give one output for "
            "each input."
        )
    if not inputs:
        raise BadProblem(
            f"the problem has no tests: `{first}` is empty. Add one, or drop the line."
        )
    return inputs, outputs


def _argument_lists(inputs: list[Any], field: str) -> list[list[Any]]:
    for number, arguments in enumerate(inputs, start=1):
        if not isinstance(arguments, list):
            raise BadProblem(
                f"field `{field}`, item {number} is {_shown(arguments)}. Give the list of the "
                "function's arguments."
            )
    return inputs


def _from_assertions(tests: Any, entry_point: str) -> tuple[list[list[Any]], list[Any]]:
    if not isinstance(tests, list) or not tests:
        raise BadProblem(f"field `tests` is {_shown(tests)}. Give a list of assertions.")
    inputs, outputs = [], []
    for number, test in enumerate(tests, start=1):
        try:
            arguments, output = _assertion(test, entry_point)
        except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:
            if "integer string conversion" in str(error):
                raise BadProblem(
                    f"field `tests`, item {number} is {_shown(test)}. It holds a number with more "
                    "digits than Python reads: write it in hexadecimal (0x...)."
                ) from None
            raise BadProblem(
                f"field `tests`, item {number} is {_shown(test)}. Write `assert {entry_point}(...) == "
                "...` with plain values on both sides."
            ) from None
        inputs.append(arguments)
        outputs.append(output)
    return inputs, outputs


def _assertion(test: Any, entry_point: str) -> tuple[list[Any], Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (node,) = ast.parse(test.strip() if isinstance(test, str) else test).body
    match node:
        case ast.Assert(
            test=ast.Compare(
                left=ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]),
                ops=[ast.Eq()],
                comparators=[output],
            )
        ) if name == entry_point:
            return [ast.literal_eval(argument) for argument in arguments], ast.literal_eval(output)
    raise ValueError("no such assertion")


def _from_input_output(record: dict[str, Any]) -> GivenTests:
    cases = record["input_output"]
    if isinstance(cases, str):
        try:
            cases = parse_json(cases)
        except ValueError as error:
            raise BadProblem(f"field `input_output` is no valid JSON ({error}).") from None
    if not isinstance(cases, dict):
        raise BadProblem(f"field `input_output` is {_shown(cases)}. Give `inputs` and `outputs`.")
    inputs, outputs = _paired(cases, "inputs", "outputs")
    if name := cases.get("fn_name") or record.get("entry_point"):
        entry_point = _entry_point(name, "fn_name")
        inputs = [_integer_keys(each) for each in _argument_lists(inputs, "inputs")]
        rule = _chosen(record, "compare", RULES["function"], "apps")
        imports = _chosen(record, "imports", IMPORTS, "common")
        return GivenTests(entry_point, inputs, outputs, rule, imports)
    given = [
        [_text(case, f"inputs` of `input_output`, item {n}")] for n, case in enumerate(inputs, 1)
    ]
    printed = [
        _text(case, f"outputs` of `input_output`, item {n}") for n, case in enumerate(outputs, 1)
    ]
    rule = _chosen(record, "compare", RULES["stdout"], "exact")
    imports = _chosen(record, "imports", IMPORTS, "none")
    return GivenTests("", given, [normalised(text) for text in printed], rule, imports)


def _integer_keys(arguments: list[Any]) -> list[Any]:
    """With whole numbers for the keys of a first dict that has no others: JSON made them text."""
    if not arguments or not isinstance(arguments[0], dict):
        return arguments
    first: dict[str, Any] = arguments[0]
    if not all(_WHOLE_NUMBER.fullmatch(key) for key in first):
        return arguments
    return [{int(key): value for key, value in first.items()}, *arguments[1:]]


def _text(case: Any, field: str) -> str:
    """A case's text; some files have lists of lines."""
    if isinstance(case, list) and all(isinstance(line, str) for line in case):
        case = "\n".join(case)
    if not isinstance(case, str):
        raise BadProblem(f"field `{field} is {_shown(case)}. Give text, or a list of lines.")
    try:
        size = len(case.encode())
    except UnicodeEncodeError:
        raise BadProblem(
            f"field `{field} has half of a surrogate pair, which is no text."
        ) from None
    if size > Limits().file_bytes:
        raise BadProblem(f"field `{field} has {size} bytes; at most {Limits().file_bytes} are run.")
    return case


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
