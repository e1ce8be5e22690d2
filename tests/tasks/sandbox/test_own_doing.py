"""What a program does to its own check is its failure; nothing of a run is left on disk."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hm_metrics.verdict import FAIL, PASS, TIMEOUT
from hm_tasks.sandbox.isolation import leftovers
from hm_tasks.sandbox.isolation.levels import LEVELS
from hm_tasks.sandbox.isolation.limits import IsolationError
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can isolate")

REFERENCE = "def f(x):\n    return x + 1\n"
PROBLEM = Problem("Mine/1", "", "f", REFERENCE, [[1]], [], 0)

# What is left in the scratch folder, of which `posix` knows more than evalplus's guards take away.
STATES = {
    "no permission to write": "io.open('x', 'w').close(); posix.chmod('.', 0o500)",
    "no permission at all": "posix.mkdir('d'); posix.chmod('.', 0)",
    "only permission to search": "io.open('x', 'w').close(); posix.chmod('.', 0o100)",
    "a folder that cannot be written to": """
        posix.mkdir('d'); io.open('d/x', 'w').close()
        posix.chmod('d', 0o500)
        """,
    "a folder that cannot be read": "posix.mkdir('d', 0o300); io.open('d/x', 'w').close()",
    "a folder that cannot be searched": """
        posix.mkdir('d', 0o700); io.open('d/x', 'w').close()
        posix.chmod('d', 0o600)
        """,
    "a folder without permissions": "posix.mkdir('d', 0)",
    "folders without permissions in one another": """
        posix.mkdir('a', 0o300); posix.mkdir('a/b', 0o300); posix.mkdir('a/b/c', 0)
        io.open('a/b/x', 'w').close()
        posix.chmod('a/b', 0); posix.chmod('a', 0)
        """,
    "a mask that takes all permissions": """
        posix.umask(0o777); posix.mkdir('d')
        io.open('x', 'w').close()
        """,
    "names that are no text": r"""
        posix.mkdir(b'\xff' * 255); io.open(b'\xfe\xff', 'w').close()
        io.open(b'a\nb', 'w').close()
        """,
    "names that look like options": """
        io.open('-rf', 'w').close(); io.open('..x', 'w').close()
        posix.mkdir('~')
        """,
    "a deep tree that ends without permissions": """
        for number in range(600):
            posix.mkdir('d' * 200, 0o700); posix.chdir('d' * 200)
        posix.mkdir('e', 0)
        """,
    "a pipe and links": """
        posix.mkfifo('p') if hasattr(posix, 'mkfifo') else None
        posix.symlink('/', 'root'); posix.symlink('.', 'self'); posix.symlink('p', 's')
        """,
    "sticky and foreign modes": """
        posix.mkdir('d', 0o1777); io.open('d/x', 'w').close()
        posix.chmod('d', 0o7000)
        """,
    "many links": "io.open('x', 'w').close(); [posix.link('x', f'l{n}') for n in range(500)]",
}


def program(body: str, gives: str) -> str:
    lines = "\n".join("    " + line.strip() for line in body.strip().splitlines())
    lines = lines.replace("    posix.mkdir('d' * 200", "        posix.mkdir('d' * 200")
    return f"import io, posix\ndef f(x):\n{lines}\n    return {gives}\n"


@pytest.mark.parametrize("level", LEVELS)
def test_a_program_that_spoils_its_folder_fails_and_nothing_is_left(level, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tmp_path.chmod(0o755)
    wrong = [program(body, "x") for body in STATES.values()]
    programs = [
        text for number, one in enumerate(wrong) for text in (one, f"# {number}\n{REFERENCE}")
    ]
    try:
        (verdicts,) = check_all([(PROBLEM, programs)], 1, level, sanitize=False)
    except IsolationError as error:
        pytest.skip(str(error))
    for name, verdict in zip(STATES, verdicts[::2], strict=True):
        assert verdict.base_status == FAIL, (name, verdict.reason)
    assert {verdict.base_status for verdict in verdicts[1::2]} == {PASS}
    assert list(tmp_path.iterdir()) == []


def test_a_right_program_is_right_whatever_it_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    right = [program(body, "x + 1") for body in STATES.values()]
    (verdicts,) = check_all([(PROBLEM, right)], 1, "rlimit", sanitize=False)
    assert {verdict.base_status for verdict in verdicts} == {PASS}
    assert list(tmp_path.iterdir()) == []


GONE = {
    "removes it": "posix.rmdir(posix.getcwd())",
    "moves it": "posix.rename(posix.getcwd(), posix.getcwd() + 'x')",
    "puts a link in its place": """
        here = posix.getcwd(); posix.rmdir(here)
        posix.symlink({precious!r}, here)
        """,
    "removes the folder of the run": """
        here = posix.getcwd(); above = here.rpartition('/')[0]
        posix.rmdir(here); posix.unlink(above + '/alone'); posix.rmdir(above)
        """,
    "takes all permissions from the folder of the run": "posix.chmod('..', 0)",
    "puts another one in its place": "here = posix.getcwd(); posix.rmdir(here); posix.mkdir(here)",
    "puts a file in its place": "here = posix.getcwd(); posix.rmdir(here); io.open(here, 'w').close()",
}


@pytest.mark.engine
def test_without_isolation_a_program_that_takes_its_folder_away_fails_too(tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    bodies = [body.replace("{precious!r}", repr(str(precious))) for body in GONE.values()]
    programs = [
        text
        for number, body in enumerate(bodies)
        for text in (program(body, "x"), f"# {number}\n{REFERENCE}")
    ]
    (verdicts,) = check_all([(PROBLEM, programs)], 1, "rlimit", sanitize=False)
    assert {verdict.base_status for verdict in verdicts[::2]} == {FAIL}
    assert {verdict.base_status for verdict in verdicts[1::2]} == {PASS}
    assert (precious / "file").read_text() == "kept"
    assert list(folder.iterdir()) == []


def test_files_that_may_not_be_changed_are_removed_all_the_same(tmp_path):
    folder = tmp_path / "scratch"
    (folder / "d").mkdir(parents=True)
    for file in (folder / "x", folder / "d" / "y"):
        file.write_text("x")
    done = [
        subprocess.run(["chattr", "+i", str(p)], capture_output=True)
        for p in (folder / "x", folder / "d")
    ]
    if any(one.returncode for one in done):
        pytest.skip("files cannot be made immutable here")
    leftovers.remove(str(folder))
    assert not folder.exists()


def test_what_cannot_be_removed_is_said(tmp_path, monkeypatch, caplog):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(
        leftovers.os, "rmdir", lambda *_, **__: (_ for _ in ()).throw(OSError("busy"))
    )
    leftovers.remove(str(tmp_path / "scratch"))
    assert "could not be removed (busy)" in caplog.text


def test_an_emptied_folder_looks_like_a_new_one(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "x").write_text("x")
    folder.chmod(0o500)
    leftovers.empty(str(folder), known=leftovers.identity(str(folder)))
    found = folder.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime, list(folder.iterdir())) == (0o700, 0.0, [])


ENDLESS = """
import sys
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.judging.judge_process import LocalExecutor
from hm_tasks.sandbox.pool import Scorer
from tests.tasks.sandbox.test_own_doing import PROBLEM
if __name__ == "__main__":
    scorer = Scorer(LocalExecutor(sys.argv[1], 2), sanitize=False)
    opens = "import io\\ndef f(x):\\n    io.open('x', 'w').close()\\n"
    scorer.add(PROBLEM, opens + "    while True: pass\\n")
    print("started", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["kill", "terminate"])
@pytest.mark.parametrize("level", ["strong", "rlimit"])
def test_no_folder_outlives_a_caller_that_is_killed(end, level, tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    tmp_path.chmod(0o755)
    caller = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, level], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert caller.stdout.readline() == "started\n"
        until = time.monotonic() + 60
        while not list(tmp_path.glob("hm-scoring-*/scratch-*")) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
        getattr(caller, end)()
        caller.wait()
        while (left := list(Path(tmp_path).iterdir())) and time.monotonic() < until:
            time.sleep(0.1)
        assert left == []
    finally:
        caller.kill()
        caller.communicate()


NUMBERS = """
import posix, threading
count = {}
for _ in range(count):
    thread = threading.Thread(target=int); thread.start(); thread.join()
thread = threading.Thread(target=int); thread.start()
posix.mkdir('d')
found = f'p{{posix.getpid()}} t{{thread.native_id}} m{{posix.stat(".").st_mtime_ns}}'
def f(x): raise type(found, (Exception,), {{}})()
"""


def test_process_numbers_say_nothing_of_earlier_programs():
    programs = [NUMBERS.format(count) + f"# {n}" for n, count in enumerate((0, 0, 20, 0, 3, 0))]
    try:
        (verdicts,) = check_all([(PROBLEM, programs)], 1, "strong", sanitize=False)
    except IsolationError as error:
        pytest.skip(str(error))
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        pytest.skip("process numbers cannot be set here")
    reasons = [verdict.reason.split("raised ")[1].split() for verdict in verdicts]
    assert len({numbers[0] for numbers in reasons}) == 1  # of the process
    assert len({tuple(reasons[n])[:2] for n in (0, 1, 3, 5)}) == 1  # of the first thread, too
    assert {verdict.base_status for verdict in verdicts} <= {FAIL, TIMEOUT}
