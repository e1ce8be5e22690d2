"""A program's verdict is evalplus's own, whatever it asks of the process that it runs in."""

import ast
import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

import hm_tasks
from hm_tasks.sandbox.judging.light import is_light
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import KINDS, Problem
from tests.tasks.sandbox.odd_programs import FUNCTION, programs

ADD = Problem(
    *("HumanEval/53", "", "add", FUNCTION, [[0, 1], [2, 3]], [[7, -7], [10**20, 1]], 0),
    oracle="humaneval",
)
# evalplus's checker, in a process that has imported what its command has, at the depth of the command.
BY_EVALPLUS = """
import json, sys
import evalplus.evaluate, fire
from concurrent.futures import ProcessPoolExecutor
from evalplus.eval import untrusted_check

def check(program, job):
    return [
        untrusted_check("humaneval", program, inputs, "add", expected, 0, [0.0] * len(inputs), True)[0]
        for inputs, expected in job
    ]

def at(number, function, *arguments):
    frame, below = sys._getframe(), 1
    while frame := frame.f_back:
        below += 1
    return at(number, function, *arguments) if below + 1 < number else function(*arguments)

texts, job = json.load(sys.stdin)
sys.argv[:] = ["evalplus.evaluate", "--dataset", "humaneval", "--samples", "x.jsonl", *sys.argv[1:]]
sys.modules["__main__"].main, sys.modules["__main__"].__file__ = None, "bin/evalplus.evaluate"
with ProcessPoolExecutor(1) as pool:
    # The command submits in its seventh frame, and the pool's process starts there.
    first = at(7, pool.submit, check, texts[0], job)
    found = [first.result(), *(pool.submit(check, text, job).result() for text in texts[1:])]
with open(sys.argv.pop(), "w") as file:  # programs may write to standard output
    json.dump(found, file)
"""


def by_evalplus(texts: list[str], tmp_path: Path) -> list[tuple[str, str]]:
    script = tmp_path / "by_evalplus.py"
    script.write_text(BY_EVALPLUS)
    job = [[getattr(ADD, kind), [sum(each) for each in getattr(ADD, kind)]] for kind in KINDS]
    found = tmp_path / "found.json"
    subprocess.run(
        [sys.executable, script, found],
        input=json.dumps([texts, job]),
        capture_output=True,
        text=True,
        check=True,
        # Without this project's folder among what can be imported, and with numpy's threads as ours.
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"},
    )
    return [tuple(statuses) for statuses in json.loads(found.read_text())]


def by_us(texts: list[str], isolation: str) -> list[tuple[str, str]]:
    (verdicts,) = check_all([(ADD, texts)], 1, isolation, sanitize=False)
    return [(verdict.base_status, verdict.plus_status) for verdict in verdicts]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    texts = programs()
    return dict(zip(texts, by_evalplus(texts, tmp_path_factory.mktemp("theirs")), strict=True))


@pytest.mark.parametrize("isolation", ["auto", pytest.param("rlimit", marks=pytest.mark.engine)])
def test_odd_programs_get_evalplus_verdicts(theirs, isolation):
    ours = dict(zip(theirs, by_us(list(theirs), isolation), strict=True))
    different = {text: (theirs[text], ours[text]) for text in theirs if theirs[text] != ours[text]}
    assert not different
    passed = sum(status == ("pass", "pass") for status in theirs.values())
    assert min(passed, len(theirs) - passed) > 50


# What programs of the light runner may use: each must find it there as evalplus's process has it.
LIGHT = [
    "import math, cmath\ndef add(x, y): return int(math.fsum([x, y])) if x < 9**9 else x + y",
    "from collections import Counter, OrderedDict, defaultdict, deque, namedtuple\n"
    "P = namedtuple('P', 'x y')\ndef add(x, y):\n    p = P(x, y)\n    return sum(p)",
    "from datetime import datetime\ndef add(x, y):\n"
    "    return x + y + datetime.strptime('2020-01-01', '%Y-%m-%d').month - 1",
    "import statistics\ndef add(x, y): return x + y + statistics.median([0, 0])",
    "from typing import *\ndef add(x: Optional[int], y: List[int]) -> Dict: return x + y",
    "from fractions import Fraction\nfrom decimal import Decimal\n"
    "def add(x, y): return int(Fraction(x) + Fraction(y)) + int(Decimal(0))",
    "import random\ndef add(x, y):\n    random.seed(1)\n    return x + y + random.choice([0])",
    "import heapq, bisect, functools, itertools, operator, copy, string, re, time, array\n"
    "@functools.lru_cache(None)\ndef add(x, y): return functools.reduce(operator.add, [x, y])",
    "def add(x, y): return x + y + len('\\N{DEGREE SIGN}') - 1",
    "def add(x, y): return x + y + len('e'.encode('ascii')) - len('e'.encode('utf-16-le')) + 1",
    "def add(x, y): return input()",
    "def add(x, y): return open('x')",
    "import numbers\ndef add(x, y):\n    assert isinstance(x, numbers.Number)\n    return x + y",
    "class A:\n    def __init__(self, x):\n        self._x = x\n    def __add__(self, o):\n"
    "        return self._x\ndef add(x, y): return A(x) + A(y) + y",
    "def f(n): return f(n + 1)\ndef add(x, y):\n    try: f(0)\n    except RecursionError: return x + y",
    # No page of these is touched.
    *(f"def add(x, y):\n    bytes({size} << 20)\n    return x + y" for size in (2400, 2900, 5000)),
    "def add(x, y): print(x) or 1 / 0",
    "def add(x): return x",
    "from math import nothing\ndef add(x, y): return x + y",
    "import time\ntime.sleep(0.01)\ndef add(x, y): return x + y",
]


def test_programs_of_the_light_runner_get_evalplus_verdicts(tmp_path):
    texts = [text for text in LIGHT if is_light(text)]
    assert len(texts) >= len(LIGHT) - 3
    assert by_us(LIGHT, "auto") == by_evalplus(LIGHT, tmp_path)


@pytest.mark.parametrize(
    "program",
    [
        "import numpy",
        "import os.path",
        "from math import sqrt; import pandas as pd",
        "from collections import _sys",
        "import random\nrandom._os.getcwd()",
        "def f(x): return x.__class__.__subclasses__()",
        "__import__('pandas')",
        "def f(x): return eval(x)",
        "if True: import scipy",
        "try:\n    import sympy\nexcept ImportError: pass",
        "import \\\n  scipy",
        "import ｍａｔｈ",
        "def f(x): return '{0.__class__}'.format(x)",
    ],
)
def test_a_program_that_may_see_its_process_runs_beside_everything(program):
    assert not is_light(program)


def test_a_verdict_does_not_depend_on_what_ran_before():
    scipy = f"from scipy.special import comb\n{FUNCTION}"
    numpy = f"import numpy as np\n{FUNCTION}"
    pandas = f"import pandas as pd\n{FUNCTION}"
    word = f"# no numpy here\n{FUNCTION}"
    for order in ([scipy], [numpy, scipy], [word, scipy, pandas], [pandas, scipy, numpy]):
        assert set(by_us(order, "auto")) == {("pass", "pass")}, order


HEADROOM = """
import os
def down(n):
    try: return down(n + 1)
    except RecursionError: return n
def note(where, depth):
    file = os.open({file!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, b"%s %d\\n" % (where, depth))
    os.close(file)
note(b"load", down(0))
def add(x, y):
    note(b"call", down(0))
    return x + y
"""


@pytest.mark.engine
def test_a_program_may_nest_as_deep_as_under_the_command(tmp_path):
    """The command itself says how deep; it can write a file, and programs here cannot."""
    record = {
        "task_id": "HumanEval/53",
        "prompt": FUNCTION,
        "contract": "",
        "entry_point": "add",
        "canonical_solution": "",
        "base_input": [[1, 2]],
        "plus_input": [[1, 2]],
        "atol": 0,
    }
    problems, samples, said = (tmp_path / name for name in ("p.jsonl", "s.jsonl", "said"))
    problems.write_text(json.dumps(record) + "\n")
    sample = {"task_id": "HumanEval/53", "solution": HEADROOM.format(file=str(said))}
    samples.write_text(json.dumps(sample) + "\n")
    command = [sysconfig.get_path("scripts") + "/evalplus.evaluate", "--dataset", "humaneval"]
    process = subprocess.Popen(
        [*command, "--samples", str(samples)],
        env=os.environ
        | {"HUMANEVAL_OVERRIDE_PATH": str(problems), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    results = tmp_path / "s_eval_results.json"
    until = time.monotonic() + 120
    while not results.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.2)
    process.kill()  # it would sleep for some 20 s after its results
    process.wait()
    words = dict(line.split() for line in said.read_text().splitlines())
    load, call = int(words["load"]), int(words["call"])
    deep = [text for text in programs(load, call) if f"== {load}" in text or f"== {call}" in text]
    assert len(deep) == 2
    assert set(by_us(deep, "auto")) == {("pass", "pass")}, (load, call)


RUNS_TEXT = {"exec", "eval", "compile"}


def foreign_runs(file: Path) -> list[str]:
    """Calls that run or read a text with the flags of the module that they stand in."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, (ast.Name, ast.Attribute)):
            continue
        name = node.func
        if isinstance(name, ast.Attribute):
            of = name.value
            if not isinstance(of, ast.Name) or of.id != "builtins" or name.attr not in RUNS_TEXT:
                continue
            called = name.attr
        else:
            called = name.id
        if called not in RUNS_TEXT:
            continue
        if called == "compile":
            keywords = {word.arg: word.value for word in node.keywords}
            no = keywords.get("dont_inherit") or (node.args[4] if len(node.args) > 4 else None)
            fine = isinstance(no, ast.Constant) and no.value is True
        else:
            # A code object has its own flags; the name says that it is one.
            code = node.args[0]
            text = ast.unparse(code)
            fine = text.startswith("compile(") or text.lower().endswith(("code", "common_imports"))
        if not fine:
            found.append(f"{file.name}:{node.lineno}: {ast.unparse(node)}")
    return found


def test_no_flag_of_ours_reaches_a_text_that_is_run():
    packages = Path(hm_tasks.__file__).parents[1]
    files = [
        f
        for name in ("hm_models", "hm_metrics", "hm_tasks")
        for f in (packages / name).rglob("*.py")
    ]
    assert len(files) > 100
    assert [run for file in files for run in foreign_runs(file)] == []


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("exec(program, names)", True),
        ("eval(text)", True),
        ("builtins.exec(program)", True),
        ("compile(program, 'm', 'exec')", True),
        ("compile(program, 'm', 'exec', dont_inherit=False)", True),
        ("compile(program, 'm', 'exec', 0, True)", False),
        ("exec(compile(program, 'm', 'exec', dont_inherit=True), names)", False),
        ("exec(self._code)", False),
        ("re.compile('a')", False),
    ],
)
def test_the_search_for_such_calls_finds_them(tmp_path, line, is_found):
    file = tmp_path / "m.py"
    file.write_text(line)
    assert bool(foreign_runs(file)) == is_found
