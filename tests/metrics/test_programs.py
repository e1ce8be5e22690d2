"""Programs are one if names and layout alone differ, by Python's own rules of scope."""

import pytest

from hm_metrics.programs import bare, canonical

PLAIN = "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total\n"
SAME = {
    "layout and comments": (
        PLAIN,
        "def f( xs ):\n  # adds\n  total=0\n  for x in xs: total+=x\n  return (total)",
    ),
    "names": (PLAIN, PLAIN.replace("total", "s").replace("xs", "values").replace("f(", "add(")),
    "docstring and type hints": (
        PLAIN,
        PLAIN.replace("(xs):", "(xs: list[int]) -> int:\n    'Add.'"),
    ),
    "imported names": (
        "import math\ndef f(x): return math.sqrt(x)",
        "import math as m\ndef f(y): return m.sqrt(y)",
    ),
    "one name in two scopes": (
        "def f(x): return x\ndef g(x): return x + 1",
        "def f(a): return a\ndef g(b): return b + 1",
    ),
    "a shadowing comprehension": (
        "def f(a): return [x for x in a if x]",
        "def f(x): return [x for x in x if x]",
    ),
    "a closure": (
        "def f(n):\n    def g(k): return k + n\n    return g(1)",
        "def f(a):\n    def b(c): return c + a\n    return b(1)",
    ),
    "keywords of an own function": (
        "def f(a, k=1): return a + k\ndef h(): return f(1, k=2)",
        "def f(b, z=1): return b + z\ndef h(): return f(1, z=2)",
    ),
    "global and nonlocal": (
        "c = 0\ndef f():\n    global c\n    d = 1\n    def g():\n        nonlocal d\n        d += c\n",
        "p = 0\ndef f():\n    global p\n    q = 1\n    def g():\n        nonlocal q\n        q += p\n",
    ),
    "walrus": (
        "def f(xs): return [y := 0, *(y := y + x for x in xs), y]",
        "def f(a): return [t := 0, *(t := t + b for b in a), t]",
    ),
    "patterns and handlers": (
        "def f(x):\n    try:\n        match x:\n            case [a, *b] | {'k': a, **b}: return b\n"
        "    except ValueError as e: raise e",
        "def g(y):\n    try:\n        match y:\n            case [p, *q] | {'k': p, **q}: return q\n"
        "    except ValueError as o: raise o",
    ),
    "lambda": ("f = lambda x, *a, **k: x(a, k)", "g = lambda y, *b, **m: y(b, m)"),
    "string prefix": ("f = u'a'", 'f = "a"'),
}
DIFFERENT = {
    "another builtin": ("def f(x): return sum(x)", "def f(x): return max(x)"),
    "another order": ("def f(a, b): return a - b", "def f(a, b): return b - a"),
    "another constant": ("def f(): return 1", "def f(): return 1.0"),
    "a closure's names swapped": (
        "def f(n):\n    def g(k): return k + n\n    return g(1)",
        "def f(n):\n    def g(k): return n + k\n    return g(1)",
    ),
    "a shadowed name": (
        "def f(x):\n    def g(): return x\n    return g",
        "def f(x):\n    def g(x): return x\n    return g",
    ),
    "a shadowed builtin": ("def f(sum): return sum(1)", "def f(s): return sum(1)"),
    "a local in place of a global": (
        "c = 0\ndef f():\n    global c\n    c = 1\n",
        "c = 0\ndef f():\n    c = 1\n",
    ),
    # The call names a parameter by keyword, and what it reaches cannot be known.
    "parameters of a class swapped": (
        "class F:\n    def __init__(self, x, y): self.a = x\nF(x=1, y=2)",
        "class F:\n    def __init__(self, y, x): self.a = y\nF(x=1, y=2)",
    ),
    "parameters reached by **": (
        "def f(x, y): return x\nf(**{'x': 1, 'y': 2})",
        "def f(y, x): return y\nf(**{'x': 1, 'y': 2})",
    ),
    "parameters reached through partial": (
        "from functools import partial\ndef f(x, y): return x\npartial(f, x=1)(y=2)",
        "from functools import partial\ndef f(y, x): return y\npartial(f, x=1)(y=2)",
    ),
    "names found by text": ("def f(a, b): return eval('a')", "def f(b, a): return eval('a')"),
    "attributes": ("def f(x): return x.real", "def f(x): return x.imag"),
    "an unknown import": ("from a import b\nb()", "from a import c\nc()"),
}


@pytest.mark.parametrize("name", SAME)
def test_programs_are_one_if_they_differ_in(name):
    one, other = SAME[name]
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize("name", DIFFERENT)
def test_programs_are_two_if_they_differ_in(name):
    one, other = DIFFERENT[name]
    assert canonical(one) != canonical(other)


def test_the_function_that_is_asked_for_keeps_its_name_where_others_find_it():
    right, wrong = "def area(r): return r * r", "def square(r): return r * r"
    assert canonical(right) == canonical(wrong)
    assert canonical(right, "area") != canonical(wrong, "area")
    assert canonical(right, "area") == canonical("def area(x): return x * x", "area")
    inner = "def {0}(r):\n    def {1}(): return r\n    return {1}()"
    assert canonical(inner.format("f", "area"), "area") == canonical(inner.format("g", "h"), "area")


@pytest.mark.parametrize("text", ["def f(:\n", "a\0b", "(" * 500, "x = " + "-" * 100_000 + "1"])
def test_what_does_not_parse_is_compared_word_by_word(text):
    assert canonical(text) == canonical(f"\n {text.replace(' ', '   ')} ")
    assert canonical(text) != canonical(text + " y")


def test_a_program_and_its_canonical_form_repeat_themselves():
    assert canonical(PLAIN) == canonical(PLAIN)
    assert "total" not in canonical(PLAIN)


def test_a_bare_program_has_its_names_and_nothing_that_does_not_run():
    program = 'def f( x: int )->int:  # note\n    """Doc."""\n    return (x)\n'
    assert bare(program) == "def f(x):\n    return x"
    assert bare("def f(:  # note") == "def f(:  # note"
