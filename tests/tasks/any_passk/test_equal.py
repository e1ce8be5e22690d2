"""Which answers are equal, by real math-verify in isolated processes; what hangs it costs nobody else."""

import random

import pytest

from hm_models.settings import ProtocolError
from hm_tasks.any_passk import equal
from hm_tasks.any_passk.equal import Alike, equality, plain_number
from hm_tasks.sandbox.guarded import Guarded, NoAnswer
from hm_tasks.sandbox.isolation.prove import strongest
from hm_tasks.sandbox.judging.limited import TIME

pytest.importorskip("math_verify")


@pytest.fixture(scope="module")
def pool():
    equality("math")
    with Guarded(lambda question: equal.compare(*question), strongest()) as made:
        yield made


@pytest.fixture
def classes(pool):
    """The classes of answers, as lists of places."""

    def found(answers, seconds=60.0, alike=None):
        alike = alike or Alike(lambda *question: pool.add(question, seconds, 1 << 30).result())
        by_class = {}
        for place, answer in enumerate(answers):
            by_class.setdefault(alike.class_of(answer), []).append(place)
        return sorted(by_class.values())

    return found


EQUAL = {
    "fractions": ["1/2", "\\frac{1}{2}", "\\frac12", "0.5", "$\\dfrac{2}{4}$", ".50", "\\boxed{1/2}"],
    "whole numbers": ["1,000", "1000", "1000.00", "$1000", "10^3", "$1,000.$", "+1000"],
    "numbers with units": ["3", "3 cm", "3\\text{ cm}", "3 apples", "$3$ apples"],
    "sets in any order": ["\\{1,2\\}", "1, 2", "2, 1", "$2$ and $1$", "\\{2, 1\\}"],
    "intervals": ["[2,5)", "$[2, 5)$", "\\left[2,5\\right)", "[2,\\frac{10}{2})"],
    "roots": ["2\\sqrt{3}", "\\sqrt{12}", "$\\sqrt{4\\cdot 3}$"],
    "expressions": ["(x+1)^2", "x^2+2x+1", "1 + 2x + x^2"],
    "letters": ["A", "(A)", "\\text{(A)}"],
    "words": ["Tal", "Tal ", "\nTal"],
}  # fmt: skip


@pytest.mark.parametrize("kind", EQUAL)
def test_answers_of_one_value_are_one_class(classes, kind):
    assert classes(EQUAL[kind]) == [list(range(len(EQUAL[kind])))]


DIFFERENT = {
    "numbers": ["1", "-1", "10", "1.5", "1/3", "0.333", "1e3", "[invalid]"],
    "words of the same letters": ["dog", "god", "the dog", "Dog"],
    "intervals": ["[2,5)", "[2,5]", "(2,5]", "\\{2,5\\}"],
    "letters": ["(A)", "(B)", "(C)", "(D)"],
    "what is no mathematics": ["???", "\\frac{", "{", "!", "12:30"],
    "very long numbers": ["1" * 4000, "1" * 3999 + "2", "7" * 200],
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_answers_of_several_values_are_several_classes(classes, kind):
    assert classes(DIFFERENT[kind]) == [[place] for place in range(len(DIFFERENT[kind]))]


def test_a_number_is_found_equal_whichever_comes_first(classes):
    for answers in (["0.5", "1/2", "0.50", "\\frac{2}{4}"], ["1/2", "0.5", "\\frac{2}{4}", ".5"]):
        assert classes(answers) == [[0, 1, 2, 3]]


def test_of_a_response_the_final_answer_counts(classes):
    responses = [
        "First 12.\nThen $7$, so\n\\boxed{\\frac{3}{4}}",
        "I take 9.\nFinal Answer: The final answer is $0.75$. I hope it is correct.",
        "Well,\nthe answer is 3/4.",
        "Well,\nthe answer is 4.",
    ]
    assert classes(responses) == [[0, 1, 2], [3]]
    alike = Alike(lambda *question: equal.compare(*question))
    assert alike.class_of("I do not know.\nSorry!") is None, "no answer casts no vote"
    assert alike.class_of("Sorry!") is not None, "of a short answer the text is one"


def test_numbers_in_plain_decimal_form_are_compared_as_math_verify_does():
    chosen = random.Random(0)
    digits = [1.0, 0.1, 0.000001, 0.0000001, 1e-9]
    texts = [f"{chosen.choice(('', '-'))}{chosen.randrange(20)}" for _ in range(20)]
    texts += [f"{1 + chosen.randrange(9) * chosen.choice(digits):.9f}" for _ in range(60)]
    texts += [f"{n},000" for n in range(1, 4)] + [f"${n}.0" for n in range(3)]
    for first in texts[::7]:
        for text in texts:
            same = plain_number(first) == plain_number(text)
            assert equal.compare(first, text) == same, (first, text)


def test_numbers_in_plain_decimal_form_need_nobody_else():
    def ask(first, text):
        raise AssertionError(text)

    alike = Alike(ask)
    found = [alike.class_of(text) for text in ("18", "18.0", "$18", "-18", "1,800.", "-0", "0.0")]
    assert found == [0, 0, 0, 1, 2, 3, 3]


# Each really hangs math-verify, latex2sympy or sympy: minutes to for ever.
HANGING = [
    "10^{10^{10}}",
    "(10^9)!",
    "(x+1)^{100000}-(x+2)^{99999}",
    "e^{e^{e^{e^{e}}}}",
    "(a+b+c+d+e+f+g+h)^{40}",
]


def test_answers_that_hang_it_are_classes_of_their_own_and_counted(pool, classes):
    asked = []

    def ask(first, text):
        asked.append((first, text))
        return pool.add((first, text), 0.5, 1 << 30).result()

    alike = Alike(ask)
    answers = ["1/2", *HANGING, "0.5", HANGING[0], "\\frac{1}{2}"]
    last = len(answers) - 1
    expected = [[0, last - 2, last], [1, last - 1], *([n] for n in range(2, len(HANGING) + 1))]
    assert classes(answers, alike=alike) == expected
    assert sorted(alike.beyond_limits) == sorted(HANGING)
    assert all("time" in reason for reason in alike.beyond_limits.values())
    assert sum(text in HANGING for _, text in asked) == len(HANGING), "each is tried once"
    assert not any(first in HANGING for first, _ in asked)


def test_a_class_that_cannot_be_compared_within_the_limits_is_left_alone():
    asked = []

    def ask(first, text):
        asked.append(first)
        if first == "hard^2":
            return NoAnswer(TIME, "it takes too much time")
        return first is None or (first, text) == ("x+y", "y+x")

    alike = Alike(ask)
    found = [alike.class_of(text) for text in ("hard^2", "x+y", "hard^2", "y+x", "z^2", "7")]
    assert found == [0, 1, 0, 1, 2, 3]
    assert list(alike.beyond_limits) == ["hard^2"]
    assert asked.count("hard^2") == 1


def test_what_decides_stands_in_the_results_with_its_version():
    from importlib.metadata import version

    assert equality("text") == {"by": "text"}
    found = equality("math")
    assert (found["by"], found["version"]) == ("math", f"math-verify {version('math-verify')}")


def test_where_math_verify_is_missing_a_sentence_says_how_to_get_it(monkeypatch):
    find = equal.importlib.util.find_spec
    for missing in ("math_verify", "antlr4"):
        monkeypatch.setattr(
            equal.importlib.util,
            "find_spec",
            lambda name, missing=missing: None if name == missing else find(name),
        )
        with pytest.raises(ProtocolError, match="pip install 'math-verify"):
            equality("math")
