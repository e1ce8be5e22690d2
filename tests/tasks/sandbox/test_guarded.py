"""Isolated forks answer questions; what breaks a limit or the process costs that question alone."""

import ctypes
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hm_tasks.sandbox import keeping
from hm_tasks.sandbox.guarded import GONE, Guarded, NoAnswer
from hm_tasks.sandbox.isolation.levels import LEVELS
from hm_tasks.sandbox.isolation.limits import MIB, IsolationError
from hm_tasks.sandbox.isolation.prove import strongest
from hm_tasks.sandbox.judging.limited import MEMORY, TIME
from hm_tasks.sandbox.keeping import CRASHED, RAISED
from hm_tasks.sandbox.wire.frames import HEAD

SECONDS, ENOUGH, MEMORY_BYTES = 0.2, 10.0, 256 * MIB
HELD: list[bytearray] = []


def endless() -> None:
    while True:
        pass


def deep() -> int:
    return 1 + deep()


def forge(content: bytes, times: int = 1) -> None:
    """Write an answer of one's own into every pipe there is."""
    for descriptor in range(3, 64):
        try:
            for _ in range(times):
                os.write(descriptor, content)
        except OSError:
            continue
    os._exit(0)


class Evil:
    def __reduce__(self) -> tuple:
        return print, ("unpickled",)


BREAKING = {
    "computes for ever": (endless, TIME),
    "computes for ever in C": (lambda: pow(3, 10**10), TIME),
    "waits for ever": (signal.pause, TIME),
    "catches every signal": (
        lambda: [signal.signal(n, signal.SIG_IGN) for n in (14, 15, 27)] and endless(),
        TIME,
    ),
    "takes much memory": (lambda: len(bytearray(4 << 30)), MEMORY),
    "takes memory bit by bit": (
        lambda: HELD.extend(bytearray(MIB) for _ in range(4096)),
        MEMORY,
    ),
    "calls itself too deeply": (deep, MEMORY),
    "reads where nothing is": (lambda: ctypes.string_at(0), CRASHED),
    "ends the process": (lambda: os._exit(0), CRASHED),
    "kills the process": (lambda: os.kill(os.getpid(), signal.SIGKILL), CRASHED),
    "leaves without a word": (sys.exit, CRASHED),
    "answers what JSON does not know": (lambda: {1j: Evil()}, CRASHED),
    "forges a pickle": (lambda: forge(HEAD.pack(b"!", 60) + pickle.dumps(Evil())), CRASHED),
    "forges no answer": (lambda: forge(HEAD.pack(b"!", 2) + b"[]"), CRASHED),
    "forges a long answer": (
        lambda: forge(HEAD.pack(b"!", 1 << 36) + bytes(MIB), 1 << 16),
        CRASHED,
    ),
    "forges a nested answer": (lambda: forge(HEAD.pack(b"!", 40000) + b"[" * 40000), CRASHED),
    "raises an exception": (lambda: {}["x"], RAISED),
}


def answer(question):
    """What is asked: a name in BREAKING, or anything else, which is its own answer."""
    if isinstance(question, str) and question in BREAKING:
        return BREAKING[question][0]()
    return question


@pytest.fixture(scope="module", params=LEVELS)
def pool(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "WALL_SECONDS", 0.2)
        try:
            with Guarded(answer, request.param, n_keepers=1) as made:
                yield made
        except IsolationError as error:
            pytest.skip(str(error))


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_a_limit_or_the_process_costs_that_question_alone(pool, name, capfd):
    seconds = SECONDS if BREAKING[name][1] == TIME else ENOUGH
    asked = [
        pool.add(question, limit, MEMORY_BYTES)
        for question, limit in (("a", ENOUGH), (name, seconds), ("b", ENOUGH))
    ]
    before, found, after = (future.result() for future in asked)
    assert (before, after) == ("a", "b")
    assert isinstance(found, NoAnswer)
    assert found.why == BREAKING[name][1]
    assert found.reason
    assert found.beyond_limits == (found.why != RAISED)
    assert "unpickled" not in capfd.readouterr().out


VALUES = [None, True, -(1 << 70), 0.1, "é\ud800\x00", [1, [2.5, None]], {"a": {"b": []}}, "x" * MIB]


def test_each_future_has_the_answer_to_its_own_question():
    with Guarded(lambda question: question, strongest(), n_keepers=3) as pool:
        asked = [pool.add((n, value), 5.0, 1 << 30) for n in range(20) for value in VALUES]
        found = [future.result() for future in asked]
    assert found == [[n, value] for n in range(20) for value in VALUES]


def test_the_limit_is_of_a_question_and_not_of_all_that_a_worker_answers():
    def work(seconds: float) -> int:
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass
        return os.getpid()

    with Guarded(work, "rlimit", n_keepers=1) as pool:
        workers = {pool.add(0.1, SECONDS, MEMORY_BYTES).result() for _ in range(4)}
    assert len(workers) == 1
    assert workers != {os.getpid()}


def test_memory_that_earlier_questions_left_is_not_the_next_ones_fault():
    def work(size: int) -> int:
        HELD.append(bytearray(size * MIB))
        return len(HELD)

    with Guarded(work, strongest(), n_keepers=1) as pool:
        # A worker may give back some of what this process had, and has that much more.
        found = [pool.add(240, 5.0, MEMORY_BYTES).result() for _ in range(4)]
        too_much = pool.add(600, 5.0, MEMORY_BYTES).result()
    assert found == [1, 1, 1, 1]
    assert too_much.why == MEMORY
    assert HELD == []


def test_work_sees_this_process_as_it_was(tmp_path):
    held = {"said": "before"}
    with Guarded(lambda _: held["said"], strongest(), n_keepers=1) as pool:
        held["said"] = "after"
        assert pool.add(None, 5.0, 1 << 30).result() == "before"


@pytest.mark.parametrize("level", ["strong", "landlock"])
def test_work_reaches_neither_files_nor_sockets_nor_secrets(level, tmp_path, monkeypatch):
    monkeypatch.setenv("HM_SECRET_TOKEN", "secret")
    tmp_path.chmod(0o755)
    (tmp_path / "open").mkdir()
    for file in (tmp_path / "secret", tmp_path / "open" / "data"):
        file.write_text("read")
    server = socket.create_server(("127.0.0.1", 0))
    tries = {
        "write": lambda: (tmp_path / "written").write_text("x"),
        "read": lambda: (tmp_path / "secret").read_text(),
        "environment": lambda: os.environ["HM_SECRET_TOKEN"],
        "connect": lambda: socket.create_connection(server.getsockname(), 1).close(),
        "fork": lambda: os.fork() or os._exit(0),
        "run": lambda: subprocess.run(["/bin/true"]).returncode,
        "readable": lambda: (tmp_path / "open" / "data").read_text(),
        "scratch": lambda: Path("file").write_text("x"),
        "left": lambda: os.listdir("."),
    }
    readable = [str(tmp_path / "open")]
    try:
        with server, Guarded(lambda name: tries[name](), level, readable, n_keepers=1) as pool:
            found = {name: pool.add(name, 5.0, 1 << 30).result() for name in tries}
    except IsolationError as error:
        pytest.skip(str(error))
    for name in ("write", "read", "environment", "connect", "fork", "run"):
        assert isinstance(found[name], NoAnswer), (name, found[name])
        assert found[name].why == RAISED
    assert (found["readable"], found["scratch"]) == ("read", 1)
    assert not (tmp_path / "written").exists()


def test_a_keeper_that_is_gone_leaves_its_questions_to_the_others(tmp_path):
    def work(question: str) -> str:
        if question == "kill":  # which the level "rlimit" does not stop
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        return question

    with Guarded(work, "rlimit", n_keepers=2) as pool:
        asked = [pool.add(q, 5.0, 1 << 30) for q in ("a", "kill", *"bcdefgh")]
        found = [future.result() for future in asked]
        assert found[1].why == GONE
        assert not found[1].beyond_limits
        assert [found[0], *found[2:]] == list("abcdefgh")
        assert pool.add("kill", 5.0, 1 << 30).result().why == GONE
        assert pool.add("a", 5.0, 1 << 30).result().why == GONE, "nobody is left, and nobody waits"


def test_closing_answers_what_is_still_asked_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tmp_path.chmod(0o755)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    pool = Guarded(answer, strongest(), n_keepers=2)
    asked = [pool.add("computes for ever", 600.0, 1 << 30) for _ in range(5)]
    time.sleep(0.2)
    assert list(tmp_path.iterdir())
    pool.close()
    assert {future.result().why for future in asked} == {GONE}
    assert pool.add("a", 1.0, 1 << 30).result().why == GONE
    assert list(tmp_path.iterdir()) == []
    for thread in pool._threads:
        thread.join(10)
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_level_that_is_not_to_be_had_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(IsolationError, match="No isolation level is called 'iron'"):
        Guarded(answer, "iron")
    assert list(tmp_path.iterdir()) == []


def test_a_process_with_threads_can_have_a_pool():
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    try:
        with Guarded(answer, strongest(), n_keepers=1) as pool:
            assert pool.add("a", 5.0, 1 << 30).result() == "a"
    finally:
        go.set()
        thread.join()


ENDLESS = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs tests in the background ignores it
from hm_tasks.sandbox.guarded import Guarded
def endless(_):
    while True: pass
with Guarded(endless, sys.argv[1], n_keepers=2) as pool:
    asked = [pool.add(n, 600.0, 1 << 30) for n in range(9)]
    print("started", flush=True)
    asked[0].result()
"""


def of_this_run(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is left")
@pytest.mark.parametrize(
    ("level", "end"),
    [*((level, signal.SIGKILL) for level in LEVELS), ("strong", signal.SIGTERM),
     ("strong", signal.SIGINT), ("rlimit", signal.SIGINT)],
)  # fmt: skip
def test_however_the_caller_ends_nothing_is_left(level, end, tmp_path):
    if LEVELS.index(level) < LEVELS.index(strongest()):
        pytest.skip(f"{level} is not to be had here")
    tmp_path.chmod(0o755)
    caller = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, level, str(tmp_path)],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert caller.stdout.readline() == "started\n"
        time.sleep(0.3)
        assert len(of_this_run(str(tmp_path))) >= 1 + 1 + 2 + 2
        if end == signal.SIGINT:
            os.killpg(caller.pid, end)  # as a terminal does
        else:
            caller.send_signal(end)
        caller.wait(30)
        until = time.monotonic() + 30
        while (left := [*tmp_path.iterdir(), *of_this_run(str(tmp_path))]) and (
            time.monotonic() < until
        ):
            time.sleep(0.05)
        assert left == []
    finally:
        caller.kill()
        caller.communicate()
