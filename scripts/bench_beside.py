"""How much scoring in the background slows a model that generates on the same cores.

    MBPP_OVERRIDE_PATH=... python scripts/bench_beside.py SAMPLES

In place of a model, all cores multiply a vector with 300 MB of weights again and again, which is what a
small model does for each token. Windows with and without scoring take turns, so that other work on
the machine meets both. Prints tokens a second in both, with the programs that were judged meanwhile, at
the priority that scoring has beside a model and, for comparison, at the normal one.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from hm_metrics.logs.samples import read_log
from hm_tasks.code_passk.dataset import Source, load_problems
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.judging.judge_process import LocalExecutor
from hm_tasks.sandbox.pool import Scorer

WIDTH, LAYERS = 4096, 9  # 300 MB in float16's size of two bytes
N_AT_ONCE = 40  # programs that are added at a time


def jobs_of(samples: Path) -> list:
    """(problem, program) for each program of the log, without a data set: nothing is kept."""
    source = Source(
        release="MbppPlus", release_version="v0.2.0", override="MBPP_OVERRIDE_PATH", oracle="mbpp"
    )
    problems = {p.task_id: p for p in load_problems(source, Path())[0] if p.task_id != "Mbpp/255"}
    bare = {task: dataclasses.replace(problem, dataset="") for task, problem in problems.items()}
    found = []
    for line in read_log(samples):
        if (problem := bare.get(line.problem)) is not None:
            found += [(problem, program) for program in {v.program for v in line.verdicts}]
    return found


def tokens_a_second(weights: list[torch.Tensor], seconds: float, between=lambda: None) -> float:
    """Speed of the stand-in for a model; `between` is called after each token."""
    state = torch.randn(1, WIDTH, dtype=weights[0].dtype)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for matrix in weights:
            state = torch.tanh(state @ matrix)
        count += 1
        between()
    return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("samples", type=Path)
    parser.add_argument("--windows", type=int, default=6, help="of each kind (6)")
    parser.add_argument("--seconds", type=float, default=8.0, help="a window (8)")
    arguments = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    weights = [torch.randn(WIDTH, WIDTH, dtype=torch.bfloat16) / 64 for _ in range(LAYERS)]
    jobs, level = jobs_of(arguments.samples), choose("auto")
    print("| priority of scoring | alone, tokens/s | beside | beside / alone | programs/s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HM_CACHE"] = cache
        for behind in (True, False):
            left = iter(jobs)
            alone, beside, judged = [], [], 0
            for _ in range(arguments.windows):
                alone.append(tokens_a_second(weights, arguments.seconds))
                with Scorer(LocalExecutor(level), sanitize=False, generating=behind) as scorer:
                    added: list = []

                    def feed(scorer=scorer, added=added, left=left) -> None:
                        if sum(not future.done() for future in added) < N_AT_ONCE:
                            for problem, program in itertools.islice(left, N_AT_ONCE):
                                added.append(scorer.add(problem, program))

                    tokens_a_second(weights, 8, feed)  # judges start, samples gather
                    before = sum(future.done() for future in added)
                    beside.append(tokens_a_second(weights, arguments.seconds, feed))
                    judged += sum(future.done() for future in added) - before
            one, other = statistics.median(alone), statistics.median(beside)
            rate = judged / arguments.seconds / arguments.windows
            name = "lowest" if behind else "normal"
            print(
                f"| {name} | {one:.1f} | {other:.1f} | {other / one:.2f} | {rate:.1f} |", flush=True
            )


if __name__ == "__main__":
    main()
