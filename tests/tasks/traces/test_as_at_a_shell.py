"""Whole programs do what `python program.py < input > output` does, at each level of isolation."""

import subprocess
import sys

import pytest

from hm_metrics.verdict import PASS
from hm_tasks.sandbox.inside.whole_program import normalised
from hm_tasks.sandbox.isolation.limits import IsolationError
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem

# Programs and inputs; those that only the kernel's levels run as a shell does are marked by `*`.
PROGRAMS = {
    "ends of lines, input": ("print(len(input()))", "ab\r\n"),
    "ends of lines, read": ("import sys\nprint(ascii(sys.stdin.read()))", "a\r\nb\rc\n"),
    "ends of lines, loop": ("import sys\nfor line in sys.stdin: print(repr(line))", "a\r\nb\n\nc"),
    "ends of lines, fileinput": ("import fileinput\nprint(list(fileinput.input()))", "a\r\nb\n"),
    "ends of lines, open(0)": ("print(ascii(open(0).read()))", "a\r\nb\rc\n"),
    "ends of lines, printed": ("print('a\\r\\nb', end='\\r\\n')", ""),
    "/dev/stdin": ("print(ascii(open('/dev/stdin').read()))", "a\r\nb\n"),
    "/dev/stdin after a line": ("input(); print(open('/dev/stdin').read())", "1\n2\n"),
    "/dev/fd/0": ("print(open('/dev/fd/0').read())", "a b\n"),
    "/dev/stdout": ("open('/dev/stdout', 'w').write('z')", ""),
    "another sys.stdin": ("import sys\nsys.stdin = open('/dev/stdin')\nprint(input())", "q\n"),
    "mmap": ("import mmap\nprint(mmap.mmap(0, 0, prot=mmap.PROT_READ).readline())", "12\n3"),
    "names of streams": (
        "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr):\n"
        "    print(s.name, s.mode, s.encoding, s.line_buffering, s.fileno(), s.isatty())",
        "",
    ),
    "stderr's bytes": ("import sys\nprint(sys.stderr.buffer.write(b'ab'), sys.stderr.errors)", ""),
    "a prompt": ("print(input('? '))", "x\n"),
    "its own text": ("print(open(__file__).read())", ""),
    "its place": (
        "import os, sys\nprint(os.path.basename(__file__), os.path.isabs(__file__), sys.argv,\n"
        "      sys.path[0] == os.path.dirname(__file__), os.listdir('.') != [])",
        "",
    ),
    "its source by inspect": ("import inspect\ndef g(): pass\nprint(inspect.getsource(g))", ""),
    "its module": (
        "x: int = 1\nprint(__name__, __spec__, __package__, __doc__, type(__builtins__).__name__,\n"
        "      __annotations__)\nimport __main__\nprint(__main__.x)",
        "",
    ),
    "annotations": ("def f(x: int): pass\nprint(f.__annotations__)", ""),
    "an annotation without an import": ("def f(x) -> List[int]: pass\nprint(1)", ""),
    "a byte-order mark": ("\ufeffprint(1)", ""),
    "a byte-order mark in the input": ("print(ascii(input()))", "\ufeff3\n"),
    "an encoding": ("# coding: latin-1\nprint(len('é'))", ""),
    "ends of lines in the program": ("print(1)\r\nif 1:\r\n    print(2)\r\n", ""),
    "mixed tabs": ("if True:\n\tprint(1)\n        print(2)", ""),
    "a null byte": ("print(1)\0", ""),
    "half a character": ("print('\ud800')", ""),
    "ThreadPool": (
        "from multiprocessing.pool import ThreadPool\n"
        "with ThreadPool(3) as pool: print(pool.map(abs, [-1, 2]))",
        "",
    ),
    "multiprocessing.dummy": (
        "from multiprocessing.dummy import Pool\nprint(Pool(2).map(abs, [-1]))",
        "",
    ),
    "multiprocessing's locks": (
        "import multiprocessing as m\nlock = m.Lock()\nwith lock: print(lock.acquire(False))\n"
        "s = m.BoundedSemaphore(1); s.acquire(); s.release()\n"
        "try: s.release()\nexcept ValueError as error: print(error)",
        "",
    ),
    "scipy": ("import scipy.special\nprint(scipy.special.comb(5, 2))", ""),
    "pandas": (
        "import pandas, sys\nprint(pandas.read_csv(sys.stdin).sum().tolist())",
        "a,b\n1,2\n",
    ),
    "numba": ("import numba\n@numba.njit\ndef f(x): return x + 1\nprint(f(2))", ""),
    "the working folder": (
        "import os\nprint(os.getcwd() == os.path.dirname(os.path.abspath('program.py')))",
        "",
    ),
    "resource *": ("import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE) != 0)", ""),
    "files *": (
        "import os\nos.mkdir('d'); os.rename('d', 'e'); os.rmdir('e')\n"
        "print(os.getcwd() == os.path.dirname(__file__))",
        "",
    ),
    "tempfile": (
        "import tempfile\nwith tempfile.TemporaryFile() as file: print(file.write(b'ab'))",
        "",
    ),
    "os._exit": ("import os\nprint(1, flush=True)\nos._exit(0)", ""),
    "os._exit, not flushed": ("import os\nprint(1)\nos._exit(0)", ""),
    "os._exit in a thread": (
        "import os, threading\ndef f():\n    print(2, flush=True)\n    os._exit(0)\n"
        "threading.Thread(target=f).start()",
        "",
    ),
    "os._exit with 3": ("import os\nprint(1, flush=True)\nos._exit(3)", ""),
    "sys.exit with words": ("exit('no')", ""),
    "__del__ at the end": ("class A:\n    def __del__(self): print('gone')\na = A()", ""),
    "atexit": ("import atexit\natexit.register(print, 'bye')\nprint('hi')", ""),
    "depth": (
        "def d(n):\n    try: return d(n + 1)\n    except RecursionError: return n\nprint(d(0))",
        "",
    ),
    "5,000 digits": ("print(10**5000)", ""),
    "5,000 digits, allowed": ("import sys\nsys.set_int_max_str_digits(0)\nprint(10**5000)", ""),
    "5,000 digits, read": ("print(int(input()) % 7)", "1" + "0" * 5000),
}


@pytest.fixture(scope="module")
def at_a_shell(tmp_path_factory):
    """For each program its exit status and what it prints."""
    found = {}
    for number, (name, (program, given)) in enumerate(PROGRAMS.items()):
        folder = tmp_path_factory.mktemp(f"program{number}")
        (folder / "program.py").write_bytes(program.encode("utf-8", "surrogatepass"))
        (folder / "input").write_bytes(given.encode())
        with (folder / "input").open("rb") as file, (folder / "output").open("wb") as output:
            done = subprocess.run(
                [sys.executable, "program.py"],
                stdin=file,
                stdout=output,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env={"PATH": "", "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"},
            )
        found[name] = done.returncode, (folder / "output").read_bytes().decode("utf-8")
    return found


@pytest.mark.parametrize(
    "level",
    [
        "strong",
        *(pytest.param(level, marks=pytest.mark.engine) for level in ("landlock", "rlimit")),
    ],
)
def test_a_whole_program_does_what_it_does_at_a_shell(at_a_shell, level):
    try:
        choose(level)
    except IsolationError as error:
        pytest.skip(str(error))
    names = [name for name in PROGRAMS if level != "rlimit" or not name.endswith("*")]
    jobs = []
    for name in names:
        program, given = PROGRAMS[name]
        expected = {"base_input": [normalised(at_a_shell[name][1])], "plus_input": []}
        problem = Problem(
            *(name, "", "", "", [[given]], [], 0.0),
            oracle="stdout",
            expected=expected,
            time_limit=20.0,
        )
        jobs.append((problem, [program]))
    verdicts = check_all(jobs, 1, level, sanitize=False)
    different = {
        name: (at_a_shell[name], verdict.base_status, verdict.reason)
        for name, (verdict,) in zip(names, verdicts, strict=True)
        if (at_a_shell[name][0] == 0) != (verdict.base_status == PASS)
    }
    assert not different
    failing = sum(status != 0 for status, _ in at_a_shell.values())
    assert failing >= 6


def test_each_test_is_a_process_of_its_own():
    """Nothing of one test is seen by the next: modules, limits, files, threads, `os._exit`."""
    program = """
import os, sys, string, threading, time
assert sys.getrecursionlimit() < 5000 and not hasattr(string, "seen") and not os.path.exists("f")
string.seen = True
sys.setrecursionlimit(5000)
open("f", "w").close()
def late():
    time.sleep(0.2)
    print("late", flush=True)
threading.Thread(target=late, daemon=True).start()
print(input(), flush=True)
os._exit(0)
"""
    cases = [["1"], ["2"], ["3"]]
    expected = {"base_input": ["1", "2", "3"], "plus_input": []}
    problem = Problem(
        *("mine", "", "", "", cases, [], 0.0), oracle="stdout", expected=expected, time_limit=5.0
    )
    ((verdict,),) = check_all([(problem, [program])], 1, sanitize=False)
    assert (verdict.base_status, verdict.reason) == (PASS, "")
