"""Reference solutions run in the sandbox; what is kept of them is data, whoever put it there."""

import dataclasses
import json
import os
import pickle
import platform
import re
import sys

import pytest

from hm_metrics.verdict import FAIL, PASS, UNSCORED
from hm_tasks.sandbox import store
from hm_tasks.sandbox.isolation.limits import Limits
from hm_tasks.sandbox.isolation.prove import strongest
from hm_tasks.sandbox.judging import expected
from hm_tasks.sandbox.judging.expected import Expected, pack, unpack
from hm_tasks.sandbox.judging.judge import Judge
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.store import VerdictStore, key_of
from hm_tasks.sandbox.wire.plain import PlainError, encode

REFERENCE = "def f(x):\n    return x + 1\n"
PROBLEM = Problem("Mine/1", "", "f", REFERENCE, [[1]], [[5], [7]], 0, "none", "a hash")
# Whole numbers that differ by the prime of Python's hash have one hash.
ONE_HASH = {group + one * (2**61 - 1) for group in range(1, 80) for one in range(999)}
RIGHT = {
    "base_input": Expected([encode(2)], [0.5], [0.0]),
    "plus_input": Expected([encode(6), encode(8)], [0.25, 0.0], [0.0, 0.0]),
}


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Puts bytes where the kept outputs of PROBLEM are looked for, and judges two programs."""
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))

    def judge(row: bytes) -> list[str]:
        whole = VerdictStore.get
        monkeypatch.setattr(VerdictStore, "get", lambda self, key: row)
        judge = Judge("rlimit", Limits(), [], str(tmp_path))
        try:
            judge.take(PROBLEM)
            return [v.base_status for v in judge.judge([REFERENCE, "def f(x): return 0"])]
        finally:
            judge.close()
            monkeypatch.setattr(VerdictStore, "get", whole)

    return judge


class Bomb:
    def __init__(self, file) -> None:
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


ROWS = {
    "nothing": b"",
    "no JSON": b"{\n",
    "another shape": b"[]\n",
    "kinds are missing": b"{}\n",
    "sizes below zero": json.dumps(
        {kind: {"sizes": [-1], "seconds": [0.0], "writing": [0.0]} for kind in RIGHT}
    ).encode(),
    "endless seconds": pack(RIGHT).replace(b"0.25", b"1e999"),
    "seconds that are no numbers": pack(RIGHT).replace(b"0.25", b'"ab"'),
    "outputs that are cut": pack(RIGHT)[:-1],
    "outputs of another number": pack(RIGHT | {"plus_input": RIGHT["base_input"]}),
    "outputs that are no plain data": pack(
        RIGHT | {"base_input": Expected([b"V" + b"\xff" * 9], [0.0], [0.0])}
    ),
    "deep JSON": b"[" * 100_000,
}


def test_a_pickle_in_the_store_is_not_run(planted, tmp_path):
    file = tmp_path / "ran"
    assert planted(pickle.dumps({"base_input": Bomb(file), "plus_input": Bomb(file)})) == [
        PASS,
        FAIL,
    ]
    assert not file.exists()


@pytest.mark.parametrize("name", ROWS)
def test_what_is_no_kept_output_is_computed_again(planted, name):
    assert planted(ROWS[name]) == [PASS, FAIL]


def test_kept_outputs_that_take_too_much_are_computed_again(planted, monkeypatch):
    monkeypatch.setattr(expected, "limits_for", lambda size: (0.3, 1 << 29))
    bomb = encode(ONE_HASH)
    row = pack(RIGHT | {"base_input": Expected([bomb], [0.0], [0.0])})
    assert planted(row) == [PASS, FAIL]


def test_what_is_packed_is_unpacked():
    assert unpack(pack(RIGHT)) == RIGHT
    with pytest.raises(PlainError):
        unpack(pack(RIGHT) + b"x")


def test_kept_outputs_are_used(planted):
    other = RIGHT | {"base_input": Expected([encode(0)], [0.0], [0.0])}
    assert planted(pack(other)) == [FAIL, PASS]


def test_outputs_are_kept_as_plain_data(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    check_all([(PROBLEM, [REFERENCE])], 1, "rlimit", sanitize=False)
    key = key_of("expected as plain data", "a hash", "Mine/1", platform.python_version())
    assert [one.outputs for one in unpack(VerdictStore().get(key)).values()] == [
        one.outputs for one in RIGHT.values()
    ]


def reference(text: str) -> Problem:
    return dataclasses.replace(PROBLEM, canonical_solution=text, dataset="")


@pytest.mark.skipif(sys.platform != "linux" or strongest() == "rlimit", reason="no isolation here")
def test_a_reference_solution_cannot_reach_out(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET_KEY", "sk-1")
    tmp_path.chmod(0o777)
    tells = "import os\nKEY = os.environ.get('A_SECRET_KEY')\n" + REFERENCE.replace(
        "+ 1", "+ 1, KEY"
    )
    answers = REFERENCE.replace("x + 1", "x + 1, None")
    writes = f"open({str(tmp_path / 'ran')!r}, 'w').write('x')\n{REFERENCE}"
    starts = f"import os\nos.system('touch {tmp_path / 'ran'}')\n{REFERENCE}"
    jobs = [
        (reference(tells), [answers]),
        (reference(writes), [REFERENCE]),
        (reference(starts), [REFERENCE]),
    ]
    (told,), (written,), (started,) = check_all(jobs, 1, sanitize=False)
    assert told.base_status == PASS
    assert written.base_status == UNSCORED
    assert "PermissionError" in written.reason or "FileNotFoundError" in written.reason
    assert not (tmp_path / "ran").exists()
    assert started.base_status in (PASS, UNSCORED)


def refusal(judge: Judge, text: str) -> str:
    """Why a judge gives no verdicts with this reference solution."""
    judge.take(reference(text))
    (verdict,) = judge.judge([REFERENCE])
    assert (verdict.base_status, verdict.program) == (UNSCORED, REFERENCE)
    return verdict.reason


def test_a_reference_solution_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(expected, "SECONDS", 0.5)
    judge = Judge("rlimit", Limits(), [], str(tmp_path))
    try:
        for text in ("def f(x):\n    while True: pass\n", "while True: pass\n"):
            assert "takes more than 0.5 s" in refusal(judge, text)
        judge.take(PROBLEM)
        assert judge.judge([REFERENCE])[0].base_status == PASS
    finally:
        judge.close()


def test_a_reference_solution_whose_outputs_are_a_bomb_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(expected, "limits_for", lambda size: (0.3, 1 << 29))
    bomb = (
        "def f(x):\n    return "
        "{group + one * (2**61 - 1) for group in range(1, 80) for one in range(999)}\n"
    )
    judge = Judge("rlimit", Limits(), [], str(tmp_path))
    try:
        assert "its outputs cannot be compared" in refusal(judge, bomb)
    finally:
        judge.close()


@pytest.mark.parametrize(
    "end", ["raise SystemExit", "import os; os._exit(0)", "import os; os.abort()"]
)
def test_a_reference_solution_that_ends_its_process_is_broken(end, tmp_path):
    judge = Judge("rlimit", Limits(), [], str(tmp_path))
    try:
        assert re.search(r"SystemExit|the process ended", refusal(judge, f"def f(x):\n    {end}\n"))
    finally:
        judge.close()


def test_a_verdict_that_was_kept_by_0_2_0_has_the_same_key(monkeypatch):
    monkeypatch.setattr(store, "version", lambda _: "0.3.1")
    monkeypatch.setattr(store.platform, "python_version", lambda: "3.11.7")
    problem = Problem("t", "", "f", "", [], [], 0, dataset="d")
    key = "fcfc02d907069ca4a81c99f5cc01aab81a981c9408966cb3f410378fc9af9fa0"
    assert store._key(problem, "x", "strong") == key
