"""All problems of a run, judged in one parallel step; what was judged before is not run again."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from typing import Any

from tqdm import tqdm

from hm_tasks.execution.frames import Closed, read_frame, write_frame
from hm_tasks.execution.isolation.limits import HASH_SEED, Limits
from hm_tasks.execution.isolation.prove import choose
from hm_tasks.execution.judge import EXTRACT, JUDGE
from hm_tasks.execution.problem import FAIL, UNSCORED, Problem, Verdict
from hm_tasks.execution.store import Store, key_of

# What no program may read even where it lies among Python's packages: answers, models, tokens.
SECRETS = ("HM_CACHE", "HF_HOME", "MBPP_OVERRIDE_PATH", "HUMANEVAL_OVERRIDE_PATH")

# numpy's threads would only get in each other's way: one process a core. Reference solutions see sets
# in the order in which programs see them.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": HASH_SEED}


def check_all(
    jobs: Sequence[tuple[Problem, list[str]]],
    n_workers: int | None = None,
    isolation: str = "auto",
    sanitize: bool = True,
) -> list[list[Verdict]]:
    """Return, for each (problem, texts), one verdict a text; identical programs are run once.

    A problem whose check breaks down gives UNSCORED verdicts with the reason; the others go on.

    Args:
        n_workers: judges to use; by default one for each core that this process may use.
        isolation: see docs/sandbox.md.
        sanitize: whether texts are a model's answers, out of which the program is taken first.

    Raises:
        IsolationError: that isolation is not to be had here.
    """
    level = choose(isolation)
    n_workers = min(n_workers or _usable_cores(), max(1, len(jobs)))
    results: list[list[Verdict]] = [[] for _ in jobs]
    store = Store()
    idle: SimpleQueue[_Judge] = SimpleQueue()
    with tempfile.NamedTemporaryFile(prefix="hm-alone-") as lock:
        judges = [_Judge(level, lock.name) for _ in range(n_workers)]
        for judge in judges:
            idle.put(judge)

        def check(job: tuple[Problem, list[str]]) -> list[Verdict]:
            judge = idle.get()
            try:
                return _check(judge, store, level, sanitize, *job)
            finally:
                idle.put(judge)

        try:
            with (
                ThreadPoolExecutor(n_workers) as threads,
                tqdm(total=sum(len(texts) for _, texts in jobs), desc="Scoring programs") as bar,
            ):
                futures = {threads.submit(check, job): index for index, job in enumerate(jobs)}
                for future in as_completed(futures):
                    index = futures[future]
                    results[index] = future.result()
                    bar.update(len(results[index]))
        finally:
            for judge in judges:
                judge.stop()
    return results


def _check(
    judge: _Judge, store: Store, level: str, sanitize: bool, problem: Problem, texts: list[str]
) -> list[Verdict]:
    programs = judge.ask(EXTRACT, (problem.entry_point, texts)) if sanitize else texts
    if isinstance(programs, str):
        return [Verdict("", UNSCORED, UNSCORED, programs) for _ in texts]
    found: dict[str, Verdict] = {}
    keys = {}
    for program in dict.fromkeys(programs):
        if not program.strip():
            found[program] = Verdict(program, FAIL, FAIL, "no program in the text")
            continue
        keys[program] = key_of(
            "verdict",
            problem.dataset,
            problem.task_id,
            program,
            level,
            dataclasses.asdict(Limits()),
            platform.python_version(),
        )
        kept = store.get(keys[program]) if problem.dataset else None
        if kept is not None:
            found[program] = Verdict(program, *json.loads(kept))
    if new := [program for program in keys if program not in found]:
        answer = judge.ask(JUDGE, (problem, new))
        if isinstance(answer, str):
            found |= {program: Verdict(program, UNSCORED, UNSCORED, answer) for program in new}
        else:
            for verdict in answer:
                found[verdict.program] = verdict
                # What broke down this time is no verdict, and is tried again the next time.
                if problem.dataset and UNSCORED not in (verdict.base_status, verdict.plus_status):
                    _, *row = dataclasses.astuple(verdict)
                    store.put(keys[verdict.program], json.dumps(row).encode())
    return [found[program] for program in programs]


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Judge:
    """One judge process; it is started again if it dies."""

    def __init__(self, level: str, lock: str) -> None:
        hidden = [
            path for name in SECRETS if (path := os.environ.get(name)) and os.path.exists(path)
        ]
        self._settings = pickle.dumps((level, Limits(), hidden, lock))
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hm_tasks.execution.judge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ENVIRONMENT,
        )
        self._write(JUDGE, self._settings)

    def _write(self, kind: bytes, content: bytes) -> None:
        assert self._process.stdin is not None
        write_frame(self._process.stdin.fileno(), kind, content)

    def ask(self, kind: bytes, question: Any) -> Any:
        """The judge's answer, or text that says why there is none."""
        try:
            self._write(kind, pickle.dumps(question))
            assert self._process.stdout is not None
            return pickle.loads(read_frame(self._process.stdout.fileno())[1])
        except (Closed, OSError) as error:
            self.stop()
            self._start()
            return f"the judging process died ({error or 'end of its output'})"

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()
