"""How long the last process of a command lives after each way of ending it, as a table.

    python -m tests.end_to_end.endings --commands lm_eval hm-sweep --backends hf vllm --signals TERM KILL

Each is started on a tiny pair and a task that never comes to its end, watched with all that it starts, and
ended by a signal: once answers are kept (`sampling`), or while its engine loads (`loading`). The watch knows
descendants, and whoever has a mark in its environment, so that what is re-parented is not lost. The exit code
is 1 where one lived longer than `--aim` (ten seconds), or a command did not run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.entry_points import ROOT, command
from tests.models.sweep.world import write_task
from tests.models.tiny import tiny_checkpoint

MINUTES = 900.0  # what only a hang takes
MARK = "HM_TEST_OF_ENDINGS"
ENGINE = {"max_model_len": 128, "enforce_eager": True, "kv_cache_memory_bytes": 2**28}
ENDLESS = {"repeats": 4000, "filter_list": [], "metric_list": [{"metric": "bypass"}]}


@dataclasses.dataclass(frozen=True)
class Ending:
    """A signal, to whom it goes, and how often: a terminal's go to all processes of its session."""

    number: signal.Signals
    to_all: bool = False
    times: int = 1


ENDINGS = {
    "TERM": Ending(signal.SIGTERM),  # kill, Slurm, systemd
    "HUP": Ending(signal.SIGHUP, to_all=True),  # a terminal that is closed
    "INT": Ending(signal.SIGINT, to_all=True),  # Ctrl-C
    "INT INT": Ending(signal.SIGINT, to_all=True, times=2),
    "KILL": Ending(signal.SIGKILL),
}


def _as_in_a_terminal() -> None:
    """Hear what a shell's `&` and nohup would have a process ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Watched:
    """A command in a session of its own, and every process that it starts."""

    def __init__(self, words: Sequence[object], folder: Path, **environment: str) -> None:
        self.log, self.cache = folder / "log", folder / "cache"
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        more = {"HM_CACHE": str(self.cache), MARK: self._mark, "PYTHONUNBUFFERED": "1"}
        with self.log.open("w") as stream:
            self.process = psutil.Popen(
                list(map(str, words)),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                preexec_fn=_as_in_a_terminal,
                env=os.environ | more | environment,
            )
        self.family = {self.process}
        self._others = set(psutil.process_iter())
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self.family |= self._found()

    def _found(self) -> set[psutil.Process]:
        """The command's own among those that came after it. Who is just being started may tell nothing yet."""
        found, known = set(), {process.pid for process in self.family}
        for process in set(psutil.process_iter()) - self._others - self.family:
            with contextlib.suppress(psutil.Error):
                if process.ppid() in known or process.environ().get(MARK) == self._mark:
                    found.add(process)
        return found

    def wait_for(self, said: str, kept: int = 0) -> None:
        """Wait until it has said this and kept so many answers. Raises AssertionError if it ends before."""
        deadline = time.monotonic() + MINUTES
        while said not in self.log.read_text() or self.kept() < kept:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)
        self.family |= (
            self._found()
        )  # whoever has said it is there, and may be gone before the next look

    def wait_for_children(self, named: str = "") -> None:
        """Wait until it has started a process of this name; without one, by multiprocessing."""
        deadline = time.monotonic() + MINUTES
        while not self._started(named):
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def _started(self, named: str) -> bool:
        words = []
        for process in self.family - {self.process}:
            with contextlib.suppress(psutil.Error):
                words.append(" ".join(process.cmdline()))
        return any((named or "spawn_main") in said for said in words)

    def kept(self) -> int:
        """How many answers it has kept."""
        file = self.cache / "samples.sqlite"
        if not file.exists():
            return 0
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
            try:
                return store.execute("SELECT count(*) FROM answers").fetchone()[0]
            except sqlite3.Error:
                return 0

    def end(self, ending: Ending) -> None:
        """Send the signal."""
        for time_ in range(ending.times):
            if time_:
                time.sleep(0.5)
            with contextlib.suppress(ProcessLookupError):
                send = os.killpg if ending.to_all else os.kill
                send(self.process.pid, ending.number)

    def left(self) -> list[psutil.Process]:
        """Who is still there, zombies apart."""
        alive = []
        for process in self.family | self._found():
            with contextlib.suppress(psutil.Error):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(process)
        return alive

    def seconds_until_gone(self, most: float) -> tuple[float, list[str]]:
        """Seconds until nobody is left, and the names of those who are left after `most`."""
        began = time.monotonic()
        while (alive := self.left()) and time.monotonic() - began < most:
            self.process.poll()
            time.sleep(0.05)
        return time.monotonic() - began, [" ".join(process.cmdline())[-80:] for process in alive]

    def close(self) -> None:
        """Kill what is left."""
        self._over.set()
        for process in self.left():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()


def model_arguments(folder: Path, backend: str) -> dict[str, object]:
    """Those of hm-merged for a tiny pair, which is written."""
    pair = {
        name: str(tiny_checkpoint(folder / name, seed, hidden_size=128))
        for seed, name in enumerate(("base", "instruct"))
    }
    return pair | {"backend": backend} | (ENGINE if backend == "vllm" else {})


def words_of(name: str, backend: str, folder: Path) -> list[object]:
    """The command line of an endless run: `lm_eval`, `hm-sweep`, or `hm-sweep --devices`."""
    arguments = model_arguments(folder, backend)
    task = write_task(folder / "endless", **ENDLESS)
    tail = ["--tasks", "tiny_words", "--include_path", task, "--batch_size", 4]
    tail += ["--output_path", folder / "out"]
    if name == "lm_eval":
        tail.append("--log_samples")
        said = json.dumps(arguments | {"alpha": 0.7})
        return [
            sys.executable,
            "-m",
            "lm_eval",
            "run",
            "--model",
            "hm-merged",
            "--model_args",
            said,
            *tail,
        ]
    pair = [arguments.pop(side) for side in ("base", "instruct")]
    said = [f"{key}={json.dumps(value)}" for key, value in arguments.items()]
    words = command("hm-sweep", "--name", "tiny", "--base", pair[0], "--instruct", pair[1])
    words += ["--alphas", "0.7", *tail, "--model_args", *said]
    return [*words, *(["--devices", "0"] if "--devices" in name else [])]


def measured(
    name: str, backend: str, ending: Ending, phase: str, most: float
) -> tuple[float, list[str]]:
    """Start, wait for the phase, end, and say how long the last process lived, or who still does."""
    folder = Path(tempfile.mkdtemp(prefix="hm-endings-"))
    watched = Watched(words_of(name, backend, folder), folder)
    try:
        if phase == "sampling":
            watched.wait_for("", kept=1)
        else:
            watched.wait_for_children()
        watched.end(ending)
        return watched.seconds_until_gone(most)
    finally:
        watched.close()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("lm_eval", "hm-sweep", "hm-sweep --devices 0")
    parser.add_argument("--commands", nargs="+", default=names)
    parser.add_argument("--backends", nargs="+", default=("hf", "vllm"))
    parser.add_argument("--signals", nargs="+", default=ENDINGS, choices=ENDINGS)
    parser.add_argument("--phases", nargs="+", default=("sampling",))
    parser.add_argument("--most", type=float, default=60.0, help="seconds to wait")
    parser.add_argument("--aim", type=float, default=10.0, help="seconds that are well")
    asked = parser.parse_args()
    missed = 0
    os.chdir(ROOT)
    for row in itertools.product(asked.commands, asked.backends, asked.phases, asked.signals):
        name, backend, phase, number = row
        try:
            seconds, left = measured(name, backend, ENDINGS[number], phase, asked.most)
        except AssertionError as error:
            print(f"| {' | '.join(row)} | did not run: {error}", flush=True)
            missed += 1
            continue
        missed += seconds > asked.aim
        print(f"| {' | '.join(row)} | {seconds:.1f} | {'; '.join(left)} |", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
