"""However a sweep or a run ends, no process that it started outlives it, and what is done is kept."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from importlib.util import find_spec

import psutil
import pytest

from hm_models.sweep.manifest import Manifest
from tests.entry_points import command
from tests.models.sweep.world import write_task
from tests.models.tiny import tiny_checkpoint

MINUTES = 900  # a test that waits for ever ends with this
ENGINE = {"max_model_len": 128, "enforce_eager": True, "kv_cache_memory_bytes": 2**28}
ENDLESS = {"repeats": 4000, "filter_list": [], "metric_list": [{"metric": "bypass"}]}


def gone_soon(processes):
    """Whether these end by themselves within ten seconds (and the slack of a busy machine)."""
    _, alive = psutil.wait_procs(processes, timeout=30)
    return [process.name() for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def started(command, tmp_path, until):
    """Start a command in a session of its own, and wait until it has said this."""
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = psutil.Popen(
            list(map(str, command)),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env=os.environ | {"HM_CACHE": str(tmp_path / "cache")},
        )
    deadline = time.monotonic() + MINUTES
    while until not in log.read_text() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    said = log.read_text()
    assert until in said, said[-3000:]
    assert process.is_running(), said[-3000:]
    return process


def wait_for(found):
    deadline = time.monotonic() + MINUTES
    while not found() and time.monotonic() < deadline:
        time.sleep(0.2)


def kept(tmp_path):
    """How many answers the run has kept."""
    file = tmp_path / "cache" / "samples.sqlite"
    if not file.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
        try:
            return store.execute("SELECT count(*) FROM answers").fetchone()[0]
        except sqlite3.Error:
            return 0


def sweep_command(tmp_path, *more, **model_args):
    """A sweep whose first point never comes to its end."""
    pair = [
        tiny_checkpoint(tmp_path / name, seed, hidden_size=128)
        for seed, name in enumerate(("base", "instruct"))
    ]
    endless = write_task(tmp_path / "endless", **ENDLESS)
    arguments = [f"{name}={json.dumps(value)}" for name, value in model_args.items()]
    words = command("hm-sweep", "--name", "tiny", "--base", pair[0], "--instruct", pair[1])
    words += ["--model_args", *arguments, "--batch_size", 4, "--output_path", tmp_path / "out"]
    return [*words, "--tasks", "tiny_words", "--include_path", endless, *more]


@pytest.mark.parametrize(
    ("devices", "number"),
    [
        (False, signal.SIGTERM),
        pytest.param(
            True, signal.SIGKILL, marks=pytest.mark.engine
        ),  # by which the sweep cannot end its workers itself
        pytest.param(False, signal.SIGHUP, marks=pytest.mark.engine),
        pytest.param(False, signal.SIGKILL, marks=pytest.mark.engine),
        pytest.param(True, signal.SIGTERM, marks=pytest.mark.engine),
        pytest.param(True, signal.SIGHUP, marks=pytest.mark.engine),
    ],
)
@pytest.mark.slow
def test_a_sweep_that_is_ended_leaves_nobody_behind_and_keeps_what_is_done(
    tmp_path, devices, number
):
    command = sweep_command(tmp_path, *(["--devices", "0"] if devices else []), backend="hf")
    process = started([*command, "--alphas", "0.3", "0.7"], tmp_path, "alpha0.3: begins")
    wait_for(lambda: kept(tmp_path))
    others = process.children(recursive=True)
    assert bool(others) >= devices
    process.send_signal(number)
    # A machine that is too busy for an end in order kills what is left after some seconds.
    assert process.wait(60) in (128 + number, -number, -signal.SIGKILL)
    assert gone_soon(others)
    assert kept(tmp_path) > 0
    with Manifest.open(tmp_path / "out") as manifest:  # which nobody holds any more
        assert manifest.records["tiny/alpha0.3"].state == "running"


def test_nohup_keeps_a_sweep_alive(monkeypatch):
    from hm_models.sweep.ending import Terminated, ending_in_order

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
        monkeypatch.setattr("hm_models.sweep.ending.kill_soon", lambda seconds: None)
        with pytest.raises(Terminated, match="SIGTERM"), ending_in_order():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


OWNER = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup would have these tests ignore
from hm_models.engines.owner import owned_by_this_process
os.environ.update(owned_by_this_process())
core = "import subprocess, sys, time; subprocess.run([sys.executable, '-c', sys.argv[1]])"
worker = "import hm_models.engines.owned_worker, time; print('worker', flush=True); time.sleep(3600)"
subprocess.run([sys.executable, "-c", core, worker] if sys.argv[1] == "core" else
               [sys.executable, "-c", worker])
"""


@pytest.mark.parametrize("shape", ["core", "alone"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_an_engine_ends_with_its_owner(tmp_path, shape, number):
    process = started([sys.executable, "-c", OWNER, shape], tmp_path, "worker")
    others = process.children(recursive=True)
    assert len(others) == (2 if shape == "core" else 1)
    process.send_signal(number)
    process.wait(60)
    assert gone_soon(others)


def test_a_process_that_only_inherits_the_variable_is_tied_to_nobody(tmp_path):
    script = "import os, hm_models.engines.vllm, hm_models.engines.owner as o; print(o._tied)"
    made = "from hm_models.engines.owner import owned_by_this_process as o; print(*o().items())"
    name, value = eval(subprocess.check_output([sys.executable, "-c", made], text=True))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "set()", done.stderr


RUN = """
import json, sys
from hm_models.merged import HindsightMerged
if __name__ == "__main__":
    lm = HindsightMerged(alpha=0.7, backend="vllm", **json.loads(sys.argv[1]))
    lm.lm
    print("engine is up", flush=True)
    import time; time.sleep(3600)
"""


@pytest.mark.campaign
@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("materialize", [False, True])
def test_an_engine_of_a_run_that_is_killed_ends_with_it(tmp_path, number, materialize):
    pair = {
        name: str(tiny_checkpoint(tmp_path / name, seed, hidden_size=128))
        for seed, name in enumerate(("base", "instruct"))
    }
    script = tmp_path / "run.py"
    script.write_text(RUN)
    arguments = json.dumps(pair | ENGINE | {"materialize": materialize})
    process = started([sys.executable, script, arguments], tmp_path, "engine is up")
    others = process.children(recursive=True)
    assert any("VLLM" in process.name() or "python" in process.name() for process in others)
    process.send_signal(number)
    process.wait(60)
    assert gone_soon(others)


@pytest.mark.campaign
@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_sweep_on_vllm_that_is_ended_leaves_no_engine(tmp_path, number):
    command = sweep_command(tmp_path, backend="vllm", **ENGINE)
    process = started([*command, "--alphas", "0.7"], tmp_path, "alpha0.7: begins")
    wait_for(lambda: kept(tmp_path))  # so the engine is at work
    others = process.children(recursive=True)
    assert others
    process.send_signal(number)
    assert process.wait(60) in (128 + number, -number, -signal.SIGKILL)
    assert gone_soon(others)
