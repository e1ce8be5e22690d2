"""All problems of a run, checked in one parallel step by warm worker processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue

from tqdm import tqdm

from hm_tasks.execution.problem import UNSCORED, Problem, Verdict
from hm_tasks.execution.worker import receive, send


def check_all(
    jobs: Sequence[tuple[Problem, list[str]]], n_workers: int | None = None
) -> list[list[Verdict]]:
    """Return, for each (problem, texts), one verdict a text.

    A problem whose check breaks down gives UNSCORED verdicts with the reason; the others go on.

    Args:
        n_workers: processes to use; by default one for each core that this process may use.
    """
    n_workers = min(n_workers or _usable_cores(), max(1, len(jobs)))
    results: list[list[Verdict]] = [[] for _ in jobs]
    workers: SimpleQueue[_Worker] = SimpleQueue()
    started = [_Worker() for _ in range(n_workers)]
    for worker in started:
        workers.put(worker)

    def check(job: tuple[Problem, list[str]]) -> list[Verdict]:
        worker = workers.get()
        try:
            return worker.check(*job)
        finally:
            workers.put(worker)

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
        for worker in started:
            worker.stop()
    return results


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Worker:
    """One worker process; it is started again if it dies."""

    def __init__(self) -> None:
        self._process = self._start()

    def _start(self) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "hm_tasks.execution.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # numpy's threads would only get in each other's way: one process a core.
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def check(self, problem: Problem, texts: list[str]) -> list[Verdict]:
        try:
            send(self._process.stdin, (problem, texts))  # type: ignore[arg-type]
            answer = receive(self._process.stdout)  # type: ignore[arg-type]
        except (EOFError, OSError) as error:
            self.stop()
            self._process = self._start()
            answer = f"the worker died ({error or 'end of its output'})"
        if isinstance(answer, str):
            return [Verdict("", UNSCORED, UNSCORED, answer) for _ in texts]
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()
