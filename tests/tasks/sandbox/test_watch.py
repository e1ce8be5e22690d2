"""Time limits are kept from outside, whatever a program does to its own timers."""

import subprocess
import sys

import pytest

from hm_metrics.verdict import FAIL, PASS, TIMEOUT
from hm_tasks.sandbox.inside.watch import Allowed, Spent, Watch
from hm_tasks.sandbox.isolation import levels as isolation
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.wire.frames import HEAD, LOADED, OUTPUT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the clock of another process")

REFERENCE = "def f(x):\n    return x + 1\n"
PROBLEM = Problem("Mine/1", "", "f", REFERENCE, [[1]], [], 0)

OFF = """
import signal, time
for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF, signal.ITIMER_VIRTUAL):
    signal.setitimer(timer, 0)
for number in (signal.SIGALRM, signal.SIGPROF, signal.SIGTERM, signal.SIGXCPU, signal.SIGVTALRM):
    signal.signal(number, signal.SIG_IGN)
def compute(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds: pass
"""
LATE = {
    "turns timers and signals off": OFF + "def f(x):\n    compute(3); return x + 1\n",
    "turns them off in the test": "def f(x):\n    exec("
    + repr(OFF)
    + ", globals())\n    compute(3); return x + 1\n",
    "blocks the signals": "import signal\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n"
    + OFF
    + "def f(x):\n    compute(3); return x + 1\n",
    "computes in threads": OFF + "import threading\ndef f(x):\n"
    "    all = [threading.Thread(target=sum, args=(range(1 << 27),)) for _ in range(4)]\n"
    "    for one in all: one.start()\n    for one in all: one.join()\n    return x + 1\n",
    "swallows what its timer raises": "import time\ndef f(x):\n    began = time.process_time()\n"
    "    while time.process_time() - began < 3:\n        try:\n"
    "            while time.process_time() - began < 3: pass\n"
    "        except BaseException: pass\n    return x + 1\n",
    "says again and again that it has just been loaded": OFF
    + "import os\ndef f(x):\n    for _ in range(6):\n        compute(0.5)\n"
    "        for number in range(3, 64):\n            try: os.write(number, b'L' + bytes(8))\n"
    "            except OSError: pass\n    return x + 1\n",
    "sleeps": OFF + "def f(x):\n    time.sleep(20); return x + 1\n",
    "stops itself": "import os, signal\nfrom ctypes import CDLL\n"
    "def f(x):\n    CDLL(None).kill(CDLL(None).getpid(), 19); return x + 1\n",
}


SOME = ("turns timers and signals off", "stops itself")


@pytest.mark.parametrize(
    ("level", "names"),
    [("auto", SOME), *(pytest.param(x, LATE, marks=pytest.mark.engine) for x in isolation.LEVELS)],
)
def test_a_test_that_takes_too_long_does_not_pass_whatever_the_program_turns_off(level, names):
    programs = [*(LATE[name] for name in names), REFERENCE]
    ((*late, right),) = check_all([(PROBLEM, programs)], 1, level, sanitize=False)
    assert {v.base_status for v in late} <= {FAIL, TIMEOUT}, [v.reason for v in late]
    assert right.base_status == PASS


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.kill()
    process.communicate()


def message(kind: bytes, content: bytes = b"") -> memoryview:
    return memoryview(HEAD.pack(kind, len(content)) + content)


def test_each_test_has_its_own_time(sleeper):
    watch = Watch(sleeper, Allowed([100.0, 200.0], 1000.0))
    assert watch.left() > 900  # it loads
    watch.saw(message(LOADED))
    assert watch.left() < 101
    watch.saw(message(OUTPUT, b"x" * 1000))
    assert 150 < watch.left() < 201
    watch.saw(message(OUTPUT))
    assert watch.left() < 1  # nothing is left to do


def test_messages_count_when_they_are_whole_and_wherever_pieces_end(sleeper):
    whole = bytes(message(LOADED)) + bytes(message(OUTPUT, b"x" * 100))
    for size in (1, 2, 8, 9, 10, 50, len(whole)):
        watch = Watch(sleeper, Allowed([100.0, 200.0], 1000.0))
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        for piece in pieces[:-1]:
            watch.saw(memoryview(piece))
            assert not 101 < watch.left() < 201
        watch.saw(memoryview(pieces[-1]))
        assert 150 < watch.left() < 201


@pytest.mark.parametrize("forged", [LOADED * 9, b"Z" * 30, HEAD.pack(OUTPUT, 1 << 60), b"O"])
def test_forged_messages_win_no_time(sleeper, forged):
    watch = Watch(sleeper, Allowed([0.0, 200.0], 1000.0))
    watch.saw(message(LOADED))
    before = watch.left()
    watch.saw(memoryview(forged))
    watch.saw(message(LOADED))
    assert watch.left() <= before


def test_time_in_which_a_program_had_to_wait_for_us_is_not_its_own(sleeper, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("hm_tasks.sandbox.inside.watch.time.monotonic", lambda: now[0])
    watch = Watch(sleeper, Allowed([100.0], 1000.0))
    now[0] += 20
    watch.leave_out(15)
    watch.leave_out(-9)
    assert watch.spent(False).wall == 5


def test_what_computes_is_told_from_what_waits():
    assert Spent(cpu=0.1, wall=5.0, late=True).idle
    assert not Spent(cpu=2.0, wall=5.0, late=True).idle


@pytest.mark.engine
def test_a_program_that_waits_does_not_make_others_wait(tmp_path):
    """Its second run needs no other one to end: here one never does."""
    script = f"""
import fcntl, os, sys
from hm_tasks.sandbox.isolation.limits import Limits
from hm_tasks.sandbox.judging.judge import Judge
from tests.tasks.sandbox.test_watch import PROBLEM
if __name__ == "__main__":
    other = os.open({str(tmp_path / "alone")!r}, os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_SH)
    judge = Judge("rlimit", Limits(), [], {str(tmp_path)!r})
    judge.take(PROBLEM)
    sleeps = "import time\\ndef f(x):\\n    time.sleep(10**6)\\n"
    stops = "import ctypes\\nl = ctypes.CDLL(None)\\ndef f(x): l.kill(l.getpid(), 19)\\n"
    print(*(verdict.base_status for verdict in judge.judge([sleeps, stops])), flush=True)
    judge.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=240
    )
    assert set(done.stdout.split()) <= {FAIL, TIMEOUT}, done.stderr
    assert len(done.stdout.split()) == 2, done.stderr


def test_a_runner_that_is_stopped_is_replaced():
    """Without isolation a program can stop it; the verdict is the program's, and the next one runs."""
    stops = "import ctypes\ndef f(x):\n    l = ctypes.CDLL(None); l.kill(l.getppid(), 19)\n"
    stops += "    while True: pass\n"
    ((stopped, right),) = check_all([(PROBLEM, [stops, REFERENCE])], 1, "rlimit", sanitize=False)
    assert stopped.base_status in (FAIL, TIMEOUT)
    assert right.base_status == PASS
