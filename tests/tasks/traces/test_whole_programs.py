"""Programs that read standard input, run in the real sandbox: what is right, wrong, late or broken."""

import textwrap

import pytest

from hm_metrics.verdict import FAIL, PASS, TIMEOUT
from hm_tasks.sandbox.inside.whole_program import normalised
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.judging.judge_process import LocalExecutor
from hm_tasks.sandbox.pool import Scorer
from hm_tasks.sandbox.problem import Problem

# The sum of two numbers a line, with a text in between that may be anything.
CASES = [("1 2\n", "3"), ("10 -4\n", "6"), ("0 0", "0")]


def problem(cases=CASES, atol=0.0, time_limit=1.0) -> Problem:
    inputs, outputs = [[given] for given, _ in cases], [printed for _, printed in cases]
    expected = {"base_input": outputs, "plus_input": []}
    return Problem(
        *("mine", "Print the sum.", "", "", inputs, [], atol),
        oracle="stdout",
        expected=expected,
        time_limit=time_limit,
    )


@pytest.fixture(scope="module")
def scorer():
    with Scorer(LocalExecutor(choose("auto"), n_judges=1), sanitize=False) as scorer:
        yield scorer


def judged(scorer, program: str, of: Problem | None = None):
    ((verdict,),) = scorer.verdicts([(of or problem(), [textwrap.dedent(program)])])
    return verdict


# Each reads two numbers and prints their sum, in one of the ways that people have.
READERS = {
    "input": "a, b = map(int, input().split())\nprint(a + b)",
    "a main guard": """
        def main():
            print(sum(map(int, input().split())))
        if __name__ == "__main__":
            main()
        """,
    "sys.stdin as lines": "import sys\nfor line in sys.stdin: print(sum(map(int, line.split())))",
    "sys.stdin.read": "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
    "sys.stdin.readline": "import sys\nprint(sum(map(int, sys.stdin.readline().split())))",
    "sys.stdin.buffer": "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "open(0), kept in a cycle": (
        "read = open(0).readline\ndef f(): pass\nprint(sum(map(int, read().split())))"
    ),
    "fileinput": "import fileinput\nfor line in fileinput.input(): print(sum(map(int, line.split())))",
    "os.read": "import os\nprint(sum(map(int, os.read(0, os.fstat(0).st_size).split())))",
    "os.write": "import os\nos.write(1, b'%d' % sum(map(int, input().split())))",
    "sys.stdout.write without a line's end": (
        "import sys\nsys.stdout.write(str(sum(map(int, input().split()))))"
    ),
    "sys.stdout.buffer": (
        "import sys\nsys.stdout.buffer.write(b'%d\\n' % sum(map(int, input().split())))"
    ),
    "another sys.stdout": """
        import io, sys
        sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="ascii")
        print(sum(map(int, input().split())))
        """,
    "open(1)": "out = open(1, 'w')\nprint(sum(map(int, input().split())), file=out)\nout.close()",
    "open(1), never flushed and kept in a cycle": (
        "out = open(1, 'w')\ndef f(): pass\nprint(sum(map(int, input().split())), file=out)"
    ),
    "a fast input and output class": """
        import io, os, sys
        class Fast(io.IOBase):
            def __init__(self, file):
                self._fd, self.buffer = file.fileno(), io.BytesIO()
            def read(self):
                return os.read(self._fd, max(os.fstat(self._fd).st_size, 8192))
            def flush(self):
                os.write(self._fd, self.buffer.getvalue())
                self.buffer.seek(0), self.buffer.truncate()
        stdin, sys.stdout = Fast(sys.stdin), Fast(sys.stdout)
        sys.stdout.buffer.write(b"%d\\n" % sum(map(int, stdin.read().split())))
        """,
    "a function at exit": """
        import atexit
        total = sum(map(int, input().split()))
        atexit.register(lambda: print(total))
        """,
    "a thread with a large stack": """
        import sys, threading
        sys.setrecursionlimit(10**6)
        threading.stack_size(1 << 27)
        def deep(n): return 0 if n == 0 else deep(n - 1)
        def main(): print(sum(map(int, input().split())) + deep(20000))
        threading.Thread(target=main).start()
        """,
    "sys.exit": "import sys\nprint(sum(map(int, input().split())))\nsys.exit(0)\nprint('more')",
    "exit": "print(sum(map(int, input().split())))\nexit()",
    "quit in a function": "def f():\n    print(sum(map(int, input().split())))\n    quit()\nf()",
    "os._exit": (
        "import os\nprint(sum(map(int, input().split())), flush=True)\nos._exit(0)\nprint('more')"
    ),
    "raise SystemExit": "print(sum(map(int, input().split())))\nraise SystemExit",
    "blanks at ends": "print(sum(map(int, input().split())), '  ')\nprint()\nprint(' ')",
    "a program's own words on stderr": (
        "import sys\nprint('hm', file=sys.stderr)\nprint(sum(map(int, input().split())))"
    ),
    "until the end of the file": """
        total = 0
        try:
            while True: total += sum(map(int, input().split()))
        except EOFError:
            print(total)
        """,
    "globals of its own in each run": """
        import __main__
        assert "seen" not in globals() and "seen" not in vars(__main__)
        seen = True
        print(sum(map(int, input().split())))
        """,
}


@pytest.mark.parametrize("way", READERS)
def test_every_usual_way_to_read_and_to_print_passes(scorer, way):
    verdict = judged(scorer, READERS[way])
    assert (verdict.base_status, verdict.plus_status, verdict.reason) == (PASS, PASS, "")


BROKEN = {
    "wrong": ("print(3)", FAIL, "base test 2 of 3 failed"),
    "prints nothing": ("input()", FAIL, "base test 1 of 3 failed"),
    "prints more": ("print(sum(map(int, input().split())))\nprint(1)", FAIL, "base test 1 of 3"),
    "asks on standard output": (
        "print(sum(map(int, input('? ').split())))",
        FAIL,
        "base test 1 of 3 failed",
    ),
    "raises": ("print(1 // 0)", FAIL, "base test 1 raised ZeroDivisionError"),
    "reads past the end": ("input(); print(input())", FAIL, "base test 1 raised EOFError"),
    "exits with 1": ("print(3)\nimport sys\nsys.exit(1)", FAIL, "base test 1 raised SystemExit"),
    "exits with words": ("exit('no')", FAIL, "base test 1 raised SystemExit"),
    "is no Python": ("print(3", FAIL, "does not load"),
    "never ends": ("while True: pass", FAIL, "base test 1: out of time"),
    "a thread never ends": (
        "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f).start()",
        # By its own timer or by the clock beside it: which comes first is chance.
        (FAIL, TIMEOUT),
        "out of time",
    ),
    "prints without end": ("while True: print('x' * 9999)", FAIL, "base test 1 raised OSError"),
    "ends its process unflushed": (
        "import os\nprint(3)\nos._exit(0)",
        FAIL,
        "base test 1 of 3 failed",
    ),
    "ends its process with 1": (
        "import os\nprint(3, flush=True)\nos._exit(1)",
        TIMEOUT,
        "process ended",
    ),
    "crashes": ("import ctypes\nctypes.string_at(0)", TIMEOUT, "process ended"),
    "recurses without end": ("def f(): f()\nf()", FAIL, "raised RecursionError"),
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_program_fails_for_its_own_reason_and_the_next_one_passes(scorer, way):
    program, status, reason = BROKEN[way]
    verdict = judged(scorer, program)
    assert verdict.base_status in (status if isinstance(status, tuple) else (status,))
    assert reason in verdict.reason
    assert judged(scorer, READERS["input"] + f"  # after: {way}").base_status == PASS


def test_a_time_limit_is_the_problems_own(scorer):
    clock = "from time import process_time as now\n"
    busy = f"{clock}end = now() + 1.5\nwhile now() < end: pass\nprint(3)"
    assert judged(scorer, busy, problem(CASES[:1], time_limit=20.0)).base_status == PASS
    assert judged(scorer, busy, problem(CASES[:1], time_limit=0.0)).reason == (
        "base test 1: out of time"
    )


def test_megabytes_go_in_and_come_out_whole(scorer):
    words = "ä" * 99 + "\n"
    large = words * 30_000  # 6 MB: outputs above 1 MiB are compared by digest
    copy = "import sys\nsys.stdout.write(sys.stdin.read())"
    wrong = "import sys\nsys.stdout.write(sys.stdin.read()[:-9])"
    of = problem([(large, normalised(large))])
    assert judged(scorer, copy, of).base_status == PASS
    assert judged(scorer, wrong, of).reason == "base test 1 of 1 failed"


def test_a_tolerance_is_for_numbers_with_a_fraction_alone(scorer):
    of = problem([("", "0.333333 yes\n1000000")], atol=1e-4)
    assert judged(scorer, "print(1 / 3, 'yes')\nprint(1000000)", of).base_status == PASS
    for wrong in (
        "print(1 / 3, 'no')\nprint(1000000)",
        "print(0.3334335, 'yes')\nprint(1000000)",
        "print(1 / 3, 'yes')\nprint(1000001)",
        "print(1 / 3, 'yes', 1000000)",
        "print(1 / 3, '', 'yes')\nprint(1000000)",
        "print(1 / 3, 'yes')",
    ):
        assert judged(scorer, wrong, of).base_status == FAIL
    exact = problem([("", "0.333333")])
    assert judged(scorer, "print(1 / 3)", exact).base_status == FAIL


# What would have to be found is a text that no program can guess.
SECRET = "the answer 7305629184"
HUNTERS = {
    "its memory": r"""
        import gc, re
        wanted = re.compile("the answer [0-9]{10}")  # which this text does not match
        for thing in gc.get_objects():
            try:
                if found := wanted.search(repr(thing)[:100_000]): break
            except BaseException: pass
        print(found[0] if found else "nothing")
        """,
    "frames": """
        import sys
        frame, seen = sys._getframe(), ""
        while frame:
            for value in list(frame.f_locals.values()):
                try: seen += repr(value)[:10000] + repr(vars(value))[:10000]
                except BaseException: pass
            frame = frame.f_back
        at = seen.find("the answer 7" + "3")
        print(seen[at:at + 21] if at >= 0 else "nothing")
        """,
    "a class that equals everything": """
        import sys
        class Always(str):
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            __hash__ = str.__hash__
        frame = sys._getframe()
        while frame:
            if "text" in frame.f_locals or "given" in frame.f_locals:
                import hm_tasks.sandbox.inside.whole_program as running
                running.normalised = lambda text, made=Always: made("anything")
            frame = frame.f_back
        """,
    "what judges": """
        import hm_tasks.sandbox.judging.oracle as oracle, hm_tasks.sandbox.judging.judge as judge
        oracle.Oracle.matches = lambda *_: True
        judge.PASS = judge.FAIL = "pass"
        """,
}


@pytest.mark.parametrize("way", HUNTERS)
def test_no_program_finds_what_is_expected_or_decides_what_is_equal(scorer, way):
    of = problem([("", SECRET)])
    assert judged(scorer, f"print({SECRET!r})", of).base_status == PASS
    verdict = judged(scorer, HUNTERS[way], of)
    assert verdict.base_status == FAIL
    # The sandbox may not have this project's own modules at all.
    assert verdict.reason in ("base test 1 of 1 failed", "base test 1 raised ModuleNotFoundError")


@pytest.mark.parametrize("level", ["landlock", "rlimit"])
def test_weaker_levels_run_whole_programs_too(level):
    from hm_tasks.sandbox.isolation.limits import IsolationError

    try:
        executor = LocalExecutor(choose(level), n_judges=1)
    except IsolationError as error:
        pytest.skip(str(error))
    with Scorer(executor, sanitize=False) as scorer:
        for way in ("input", "open(0)", "os.read", "exit"):
            assert judged(scorer, READERS[way]).base_status == PASS


def test_two_programs_of_one_output_have_one_behaviour(scorer):
    one, other = (judged(scorer, READERS[way]).behaviour for way in ("input", "os.write"))
    assert one == other != judged(scorer, "print(3)").behaviour
