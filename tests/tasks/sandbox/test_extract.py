"""The program in a text is, to the letter, the one that evalplus's own sanitizer finds."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import evalplus.sanitize
import pytest

from hm_tasks.sandbox import extract
from hm_tasks.sandbox.extract import extract_program
from scripts.bench_extract import HOSTILE, PROSE, damaged_texts, programs, reference

FUNCTION = ["def f(x):", "    return x", "", "y = f(1)"]


def differing(texts) -> list[tuple[str, str]]:
    found = []
    for text, entry_point in texts:
        expected = reference(text, entry_point)
        extract._last = ("", "")  # evalplus's own answer to the same text must not be at hand
        if extract_program(text, entry_point) != expected:
            found.append((text, entry_point))
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("texts", "longest"),
    [
        *((300, 3), (300, 10), (60, 25), (8, 50), (2, 100)),
        *(
            pytest.param(*many, marks=pytest.mark.engine)
            for many in ((1500, 3), (3000, 10), (700, 25), (40, 50), (8, 100))
        ),
    ],
    ids=str,
)
def test_damaged_texts_give_evalpluss_program(texts, longest):
    assert differing(damaged_texts(texts, longest, seed=longest)) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", HOSTILE + PROSE, ids=lambda line: ascii(line)[:30])
def test_one_odd_line_anywhere_gives_evalpluss_program(line):
    texts = [line, f"{line}\n{line}", f"{line}\n", f"\n{line}", f"# a comment\n\n{line}\nx = 1"]
    for place in range(len(FUNCTION) + 1):
        texts.append("\n".join([*FUNCTION[:place], line, *FUNCTION[place:]]))
        texts.append("\n".join([*FUNCTION[:place], line, line, *FUNCTION[place:]]))
    texts.append("\n".join([*FUNCTION, line, *FUNCTION, line, *FUNCTION]))
    assert differing((text, "f") for text in texts) == []


def test_whole_programs_give_evalpluss_program():
    chosen = programs()[::7]
    assert len(chosen) > 100
    assert differing(chosen) == []


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    return 1\nx = 1 \\\n\n)",  # only the blank line ends the last statement
        "x = 1\ny = 2\n)\na = 1\nb = 2",  # of equals, the first
        "\n\nx = 1\n\n)\na = 1\n\n\nb = 2",  # blank lines do not count, and the first that will do
        "@(\n\nfoo)\ndef f(): return 1\n)",  # the decorator's place in the tree is a line too late
        "x = 1; \\\ny = 2\nif x: y\n)\nz",  # a statement ends, its line does not
        "try:\n x\nfinally:\n '''\n)\n'''\n(\n",
        "a = '''\nx = 1\ny = 2\nz = 3\n)\n'''\nb(",  # the longest program is in a string
        "x = 1\ry = (\nz = 2\n)\n(\n",  # Python counts one line more
    ],
    ids=ascii,
)
def test_known_traps_give_evalpluss_program(text):
    assert differing([(text, ""), (text, "f"), (f"{text}\n{text}", "f")]) == []


@pytest.mark.skipif(not extract._INCOMPLETE, reason="evalplus's own search runs here")
def test_the_limit_on_nesting_is_where_evalplus_meets_it():
    def text(n: int) -> str:
        return f"1{'+1' * n}\ny = 2\n"

    lowest, highest = 100, 20_000
    if reference(text(highest), "y"):
        pytest.skip("this Python gives up on nothing")
    assert reference(text(lowest), "y") == "y = 2"
    while highest - lowest > 1:
        middle = (lowest + highest) // 2
        if reference(text(middle), "y"):
            lowest = middle
        else:
            highest = middle
    assert differing((text(n), "y") for n in range(lowest - 12, lowest + 12)) == []


def test_a_part_that_python_gives_up_on_empties_the_text_though_it_could_not_win():
    deep = f"x = 1{'+1' * 4000}"
    long = "\n".join(f"a{n} = {n}" for n in range(9))
    text = f"{long}\n)\n{deep}\ny = 2"
    assert reference(deep + "\ny = 2", "") == reference(text, "")
    assert differing([(text, ""), (f"'''\n{deep}\ny = 2\n'''\n{long}", "")]) == []


@pytest.mark.skipif(not extract._INCOMPLETE, reason="evalplus's own search runs here")
@pytest.mark.parametrize("cut", ["", "'''", "x = (", "try:", "This is prose.", "x = 1 \\"])
def test_a_text_of_100_lines_takes_few_parses(cut, monkeypatch):
    calls = []

    def counting(*args):
        calls.append(args)
        return compile(*args)

    monkeypatch.setattr(extract, "compile", counting, raising=False)
    block = [
        "def f(x):",
        '    """Say it."""',
        "    if x:",
        "        return (x,",
        "            2)",
        "",
    ]
    lines = (block * 17)[:100]
    lines[60] = cut
    extract._last = ("", "")
    extract.longest_stretch("\n".join(lines))
    assert len(calls) < 20  # evalplus: 4950


def test_the_parsers_warnings_about_a_text_stay_silent_and_others_do_not():
    code = (
        "from hm_tasks.sandbox.extract import extract_program\n"
        "extract_program(\"x = '\\\\d'\\ny = 2\", 'x')\n"
        "compile(\"x = '\\\\w'\", 'theirs', 'exec')"
    )
    command = [sys.executable, "-W", "default", "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    ours = [line for line in shown.splitlines() if "invalid escape sequence" in line]
    assert len(ours) == 1
    assert "'\\w'" in ours[0]


def test_evalplus_is_left_as_it_was_while_threads_extract():
    texts = list(damaged_texts(60, 10, seed=5))
    expected = [reference(*text) for text in texts]
    before = dict(vars(evalplus.sanitize))
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda text: extract_program(*text), texts)) == expected
        changed = {k for k, v in vars(evalplus.sanitize).items() if before.get(k) is not v}
    assert changed == set()


def test_a_python_that_cannot_tell_incomplete_input_uses_evalpluss_search(monkeypatch):
    def must_not_run(text):
        raise AssertionError("our search needs a flag of Python 3.11")

    monkeypatch.setattr(extract, "_INCOMPLETE", 0)
    monkeypatch.setattr(extract, "longest_stretch", must_not_run)
    assert extract_program("Sure!\nx = 1\ny = 2\n", "x") == "x = 1"
