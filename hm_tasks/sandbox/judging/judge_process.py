"""Judge processes of this machine: the handles on `hm_tasks.sandbox.judging.judge`, and who starts them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from typing import Any

from hm_tasks.sandbox.isolation.answers import paths_with_answers
from hm_tasks.sandbox.isolation.leftovers import remove
from hm_tasks.sandbox.isolation.limits import HASH_SEED, Limits
from hm_tasks.sandbox.judging.asking import JudgeDied
from hm_tasks.sandbox.judging.isolated import LEFTOVER_SECONDS, make_run_folder
from hm_tasks.sandbox.wire.frames import SETTINGS, Closed, read_frame, write_frame

# numpy's threads would only get in each other's way: one process a core. Reference solutions see sets
# in the order in which programs see them.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": HASH_SEED}


class JudgeProcess:
    """One judge process; it is started again if it dies.

    Args:
        folder: where its programs' scratch folders are, and the lock of second runs.
        behind: whether it stands behind everything else on this machine: at the lowest priority,
            and what runs out of time is put off.
    """

    def __init__(self, level: str, folder: str, behind: bool) -> None:
        settings = (level, Limits(), paths_with_answers(), folder, behind, os.getpid())
        self._settings = pickle.dumps(settings)
        self._killed = False
        self.behind = behind
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hm_tasks.sandbox.judging.judge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for the caller, who ends this
        )
        self._write(SETTINGS, self._settings)

    def _write(self, kind: bytes, content: bytes) -> None:
        assert self._process.stdin is not None
        write_frame(self._process.stdin.fileno(), kind, content)

    def ask(self, kind: bytes, question: Any) -> Any:
        """See `JudgeHandle`."""
        try:
            self._write(kind, pickle.dumps(question))
            assert self._process.stdout is not None
            return pickle.loads(read_frame(self._process.stdout.fileno())[1])
        except (Closed, OSError) as error:
            if not self._killed:
                self._process.kill()
                self._process.communicate()
                self._start()
            return JudgeDied(f"the judging process died ({error or 'end of its output'})")

    def kill(self) -> None:
        """End it, whatever it does, from any thread; who asks it something gets an answer then."""
        self._killed = True
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it, when nobody else asks it."""
        self.kill()
        self._process.communicate()


class LocalExecutor:
    """Judges on this machine, one for each core that this process may use.

    Args:
        level: a level of isolation that has been proven here.
    """

    def __init__(self, level: str, n_judges: int | None = None) -> None:
        self.level = level
        self.n_judges = n_judges or usable_cores()
        self._judges: list[JudgeProcess] = []
        self._folder: str | None = None
        self._lock = threading.Lock()
        self._closed = False

    def start(self, behind: bool) -> JudgeProcess:
        """Start one more judge.

        Raises:
            RuntimeError: this executor has been closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("This scorer has ended.")
            if self._folder is None:
                self._folder = tempfile.mkdtemp(prefix="hm-scoring-")
                make_run_folder(self._folder)
            judge = JudgeProcess(self.level, self._folder, behind)
            self._judges.append(judge)
            return judge

    def close(self) -> None:
        """End all judges and remove what is left of their programs."""
        with self._lock:
            self._closed = True
            for judge in self._judges:
                judge.kill()
            if self._folder is not None:
                remove(self._folder, LEFTOVER_SECONDS)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
