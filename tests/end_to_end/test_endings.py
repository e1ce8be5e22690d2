"""However a sweep or a run ends, no process that it started outlives it, and what is done is kept.

Its work is endless, and an engine that nobody ends goes on for minutes. That the last process is gone within
ten seconds is measured, not tested: `python -m tests.end_to_end.endings`, which has the watch, prints it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from hm_models.sweep.manifest import Manifest
from tests.end_to_end.endings import ENDINGS, ENGINE, Watched, model_arguments, words_of
from tests.entry_points import ROOT

PATIENCE_SECONDS = 30.0  # on however busy a machine; who is still there then was not ended
needs_vllm = pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")


@pytest.fixture
def watch(tmp_path):
    """Start a command and watch what it starts; nothing is left after the test."""
    started = []

    def start(*words, **environment):
        started.append(Watched(words, tmp_path, **environment))
        return started[-1]

    yield start
    for watched in started:
        watched.close()


def assert_gone(watched):
    _, left = watched.seconds_until_gone(PATIENCE_SECONDS)
    assert left == []


IN_ENGINE_TIER = {
    ("hm-sweep", "hf", "TERM"),
    ("lm_eval", "hf", "TERM"),
    ("hm-sweep", "hf", "INT INT"),
    ("hm-sweep", "hf", "KILL"),
    ("hm-sweep --devices 0", "hf", "KILL"),  # by which a sweep cannot end its workers itself
    ("hm-sweep --devices 0", "hf", "TERM"),
    ("hm-sweep", "vllm", "TERM"),
    ("lm_eval", "vllm", "TERM"),  # which knows no order: the kernel ends its engine
}
CASES = [
    pytest.param(
        *case,
        id=" ".join(case),
        marks=[
            *([needs_vllm] if case[1] == "vllm" else []),
            pytest.mark.engine if case in IN_ENGINE_TIER else pytest.mark.campaign,
        ],
    )
    for case in (
        (name, backend, ending)
        for name in ("lm_eval", "hm-sweep", "hm-sweep --devices 0")
        for backend in ("hf", "vllm")
        for ending in ENDINGS
    )
]


@pytest.mark.parametrize(("name", "backend", "ending"), CASES)
@pytest.mark.slow
def test_a_command_that_is_ended_leaves_nobody_behind_and_keeps_what_is_done(
    watch, tmp_path, name, backend, ending
):
    watched = watch(*words_of(name, backend, tmp_path))
    watched.wait_for("", kept=1)  # so the engine is at work
    assert (len(watched.family) > 1) >= (backend == "vllm" or "--devices" in name)
    watched.end(ENDINGS[ending])
    assert_gone(watched)
    assert watched.process.wait() != 0
    assert watched.kept() > 0
    if "sweep" in name:
        with Manifest.open(tmp_path / "out") as manifest:  # which nobody holds any more
            assert manifest.records["tiny/alpha0.7"].state == "running"


@pytest.mark.campaign
@needs_vllm
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", ["lm_eval", "hm-sweep"])
def test_an_engine_that_is_just_starting_ends_too(watch, tmp_path, name, ending):
    watched = watch(*words_of(name, "vllm", tmp_path))
    watched.wait_for_children()
    watched.end(ENDINGS[ending])
    assert_gone(watched)


@pytest.mark.campaign
@needs_vllm
@pytest.mark.parametrize("ending", ENDINGS)
def test_quickstart_leaves_nobody_behind(watch, demo_pair, tmp_path, ending):
    """The script itself, where the environment and the pair are there already."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "quickstart.sh", tmp_path / "scripts")
    shutil.copy(ROOT / "scripts" / "make_demo_pair.py", tmp_path / "scripts")
    (tmp_path / "scripts" / "setup.sh").write_text("#!/bin/sh\n")
    (tmp_path / "scripts" / "setup.sh").chmod(0o755)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "runs").mkdir()
    shutil.copytree(demo_pair, tmp_path / "runs" / "demo_pair")
    watched = watch("bash", tmp_path / "scripts" / "quickstart.sh")
    watched.wait_for("Sampling:")  # by an engine in its own process, where there is no GPU
    watched.end(ENDINGS[ending])
    assert_gone(watched)


RUN = """
import json, sys
from hm_models.merged import HindsightMerged
if __name__ == "__main__":
    lm = HindsightMerged(alpha=0.7, **json.loads(sys.argv[1]))
    lm.lm
    print("engine is up", flush=True)
    import time; time.sleep(3600)
"""


@pytest.mark.campaign
@needs_vllm
@pytest.mark.parametrize("ending", ["KILL", "TERM", "HUP"])
def test_an_engine_on_a_checkpoint_ends_with_its_run(watch, tmp_path, ending):
    (tmp_path / "run.py").write_text(RUN)
    arguments = model_arguments(tmp_path, "vllm") | ENGINE | {"materialize": True}
    watched = watch(sys.executable, tmp_path / "run.py", json.dumps(arguments))
    watched.wait_for("engine is up")
    watched.end(ENDINGS[ending])
    assert_gone(watched)


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


TWICE = """
import time
from hm_models.sweep.ending import ending_in_order
with ending_in_order():
    try:
        print("at work", flush=True)
        time.sleep(3600)
    except KeyboardInterrupt:
        print("ending", flush=True)
        import ctypes; ctypes.PyDLL(None).sleep(3600)  # with the interpreter's lock: nobody else gets a turn
"""


def test_a_second_ctrl_c_ends_what_an_orderly_end_hangs_in(watch):
    watched = watch(sys.executable, "-c", TWICE)
    watched.wait_for("at work")
    watched.end(ENDINGS["INT"])
    watched.wait_for("ending")
    watched.end(ENDINGS["INT"])
    assert watched.process.wait() == -signal.SIGINT


OWNER = """
import os, subprocess, sys, time
from hm_models.engines.owner import owned_by_this_process
os.environ.update(owned_by_this_process())
core = "import subprocess, sys, time; subprocess.run([sys.executable, '-c', sys.argv[1]])"
worker = "import hm_models.engines.owned_worker, time; print('worker', flush=True); time.sleep(3600)"
subprocess.run([sys.executable, "-c", core, worker] if sys.argv[1] == "core" else
               [sys.executable, "-c", worker])
"""


@pytest.mark.parametrize("shape", ["core", "alone"])
@pytest.mark.parametrize("ending", ["TERM", "KILL", "HUP"])
def test_an_engine_ends_with_its_owner(watch, shape, ending):
    watched = watch(sys.executable, "-c", OWNER, shape)
    watched.wait_for("worker")
    watched.process.send_signal(ENDINGS[ending].number)
    assert_gone(watched)
    assert len(watched.family) == (3 if shape == "core" else 2)


STARTING = """
import ctypes, multiprocessing, sys, threading, time
from hm_models.engines.owner import owning

def core(pipe):
    print("core", flush=True)
    if sys.argv[2] == "main":
        ctypes.PyDLL(None).sleep(3600)  # with the interpreter's lock: no thread gets a turn
    pipe.send(pipe.recv())
    time.sleep(3600)

def start():
    with owning():
        multiprocessing.get_context(sys.argv[1]).Process(target=core, args=(theirs,)).start()

if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    if sys.argv[2] == "main":
        start()
    else:
        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        ours.send("still there")
        print(ours.recv(), flush=True)
    time.sleep(3600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal")
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_core_that_is_starting_and_hears_nobody_ends_with_its_owner(watch, tmp_path, way):
    (tmp_path / "owner.py").write_text(STARTING)
    watched = watch(sys.executable, tmp_path / "owner.py", way, "main")
    watched.wait_for("core")
    watched.end(ENDINGS["KILL"])
    assert_gone(watched)
    assert len(watched.family) > 1


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_core_outlives_the_thread_that_started_it_and_ends_with_its_owner(watch, tmp_path, way):
    (tmp_path / "owner.py").write_text(STARTING)
    watched = watch(sys.executable, tmp_path / "owner.py", way, "thread")
    watched.wait_for("still there")
    watched.end(ENDINGS["KILL"])
    assert_gone(watched)


def test_a_process_that_only_inherits_the_variable_is_tied_to_nobody():
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


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal")
def test_a_command_that_is_run_by_the_launcher_ends_with_its_shell(watch):
    launched = f"{sys.executable} -m hm_models.engines.owner"
    sleeping = f"{sys.executable} -c 'print(\"asleep\", flush=True); import time; time.sleep(3600)'"
    watched = watch("sh", "-c", f"{launched} {sleeping} & wait")
    watched.wait_for("asleep")
    watched.end(ENDINGS["KILL"])
    assert_gone(watched)
    assert len(watched.family) == 2
