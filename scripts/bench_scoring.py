"""Verdicts, time and memory of scoring, beside evalplus itself, on the same programs and cores.

    MBPP_OVERRIDE_PATH=... python scripts/bench_scoring.py SAMPLES --out runs/bench_scoring --n 11

SAMPLES is a samples_mbppplus_passk_*.jsonl of a run; the first n programs of each problem are scored
by `evalplus.evaluate` and by this project, without verdicts from before, and every one that differs is
printed. The reference solutions' outputs are computed beforehand on both sides. With --rounds 3, this
project scores the set three more times, in other orders and beside as many busy processes as there
are cores, and every verdict that changes is printed. --skip-evalplus leaves evalplus out. The row `bare`
is the floor: forking, loading and running the programs on all inputs within their time, with no isolation,
no outputs read and nothing compared. `computing` is the time of all processes together. The last lines are
the table of BENCHMARKS.md. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from measuring import Peak

Programs = dict[str, list[str]]
Statuses = dict[str, list[tuple]]
BARE = "--bare"


def programs_of(samples: Path, n: int) -> Programs:
    """The first n programs of each problem in the harness's log."""
    from hm_metrics.logs.samples import read_log

    lines = read_log(samples)
    return {line.problem: [verdict.program for verdict in line.verdicts[:n]] for line in lines}


def by_evalplus(programs: Programs, out: Path, cores: int) -> Statuses:
    """Statuses that `evalplus.evaluate` gives, in order."""
    file = out / "samples.jsonl"
    lines = [
        json.dumps({"task_id": task, "solution": program})
        for task, texts in programs.items()
        for program in texts
    ]
    file.write_text("\n".join(lines) + "\n")
    results = file.with_name("samples_eval_results.json")
    results.unlink(missing_ok=True)
    command = ["evalplus.evaluate", "--dataset", "mbpp", "--samples", str(file)]
    command += ["--parallel", str(cores)]
    with (out / "evalplus.log").open("w") as log:
        program = Path(sys.executable).with_name(command[0])
        subprocess.run([program, *command[1:]], check=True, stdout=log, stderr=log)
    scored = json.loads(results.read_text())["eval"]
    return {
        task: [(sample["base_status"], sample["plus_status"]) for sample in samples]
        for task, samples in scored.items()
    }


def problems_of(out: Path) -> dict[str, Any]:
    """MBPP+ by task_id."""
    from hm_tasks.code_passk.dataset import Source, load_problems

    source = Source(
        release="MbppPlus", release_version="v0.2.0", override="MBPP_OVERRIDE_PATH", oracle="mbpp"
    )
    return {problem.task_id: problem for problem in load_problems(source, out)[0]}


def bare(programs: Programs, out: Path, cores: int) -> Statuses:
    """Fork, load and run all programs on all inputs, from a process with nothing else; no statuses."""
    command = [sys.executable, __file__, BARE, str(out / "runs.pickle"), str(cores)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return {}


def write_runs(programs: Programs, out: Path) -> None:
    """What `bare` runs: program, function and inputs."""
    problems = problems_of(out)
    runs = [
        (program, problems[task].entry_point, getattr(problems[task], kind))
        for task, texts in programs.items()
        for program in texts
        for kind in ("base_input", "plus_input")
    ]
    (out / "runs.pickle").write_bytes(pickle.dumps(runs))


def run_bare(file: Path, cores: int) -> None:
    """What the process of `bare` does."""
    runs = pickle.loads(file.read_bytes())
    gc.freeze()
    for worker in [_forked(_run_all, runs[core::cores]) for core in range(cores)]:
        os.waitpid(worker, 0)


def _forked(function: Callable[..., None], *arguments: Any) -> int:
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            function(*arguments)
        os._exit(0)
    return child


def _run_all(runs: list[tuple[str, str, list]]) -> None:
    for run in runs:
        os.waitpid(_forked(_run, *run), 0)


def _run(program: str, entry_point: str, inputs: list) -> None:
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    names: dict[str, Any] = {}
    signal.setitimer(signal.ITIMER_PROF, 1.0)
    exec(compile(program, "<string>", "exec", dont_inherit=True), names)
    for arguments in inputs:
        signal.setitimer(signal.ITIMER_PROF, 1.0)
        names[entry_point](*arguments)


def by_us(programs: Programs, out: Path, cores: int) -> Statuses:
    """Statuses that this project gives, in order."""
    from hm_tasks.sandbox.pool import check_all

    problems = problems_of(out)
    jobs = [(problems[task], texts) for task, texts in programs.items()]
    verdicts = check_all(jobs, n_workers=cores, sanitize=False)
    return {
        task: [(verdict.base_status, verdict.plus_status) for verdict in found]
        for task, found in zip(programs, verdicts, strict=True)
    }


class Cost(NamedTuple):
    """What a run took: seconds on the wall, seconds of all its processes, and memory."""

    wall: float
    computing: float
    memory: Peak


def measured(
    score: Callable[[Programs, Path, int], Statuses], programs: Programs, out: Path, cores: int
) -> tuple[Statuses, Cost]:
    """Statuses, and what they took."""
    with Peak() as memory:
        began, before = time.perf_counter(), _computed()
        found = score(programs, out, cores)
        wall = time.perf_counter() - began
    # Judges are killed; what they have started is this process's then, and counts when it is waited for.
    until = time.perf_counter() + 10.0
    with contextlib.suppress(ChildProcessError):
        while time.perf_counter() < until:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.02)
    return found, Cost(wall, _computed() - before, memory)


def _computed() -> float:
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def differences(one: Statuses, other: Statuses, names: tuple[str, str]) -> int:
    """Print and count the verdicts that differ."""
    count = 0
    for task, found in one.items():
        for number, (first, second) in enumerate(zip(found, other[task], strict=True)):
            if first != second:
                count += 1
                print(f"{task}, program {number}: {names[0]} {first}, {names[1]} {second}")
    return count


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """A second load on the machine."""
    command = [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("samples", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=1, help="programs of each problem (default 1)")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=0, help="times to score again under load (0)")
    parser.add_argument("--skip-evalplus", action="store_true", help="measure this project only")
    arguments = parser.parse_args()
    out, cores = arguments.out, arguments.cores
    out.mkdir(parents=True, exist_ok=True)
    from hm_tasks.sandbox.isolation import kernel

    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    programs = programs_of(arguments.samples, arguments.n)
    total = sum(map(len, programs.values()))
    rows: list[tuple[str, Cost, str]] = []
    # One round on programs that are no programs: it makes both sides compute their references.
    nothing = {task: ["0"] for task in programs}
    theirs = None
    if not arguments.skip_evalplus:
        by_evalplus(nothing, out, cores)
        theirs, their_cost = measured(by_evalplus, programs, out, cores)
        rows.append(("`evalplus.evaluate`", their_cost, ""))
    prepared = out / "references"
    shutil.rmtree(prepared, ignore_errors=True)
    os.environ["HM_CACHE"] = str(prepared)
    by_us(nothing, out, cores)

    def afresh(programs: Programs) -> tuple[Statuses, Cost]:
        """Score with the references at hand, but no verdicts."""
        cache = out / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        shutil.copytree(prepared, cache)
        os.environ["HM_CACHE"] = str(cache)
        return measured(by_us, programs, out, cores)

    write_runs(programs, out)
    _, floor = measured(bare, programs, out, cores)
    rows.append(("bare", floor, ""))
    first = next(iter(programs))
    _, start = afresh({first: programs[first][:1]})
    rows.append(("ours, one program", start, "start-up"))
    ours, cost = afresh(programs)
    note = f"{(cost.wall - start.wall) / floor.wall:.1f} times bare, beside start-up"
    if theirs is not None:
        differing = differences(theirs, ours, ("evalplus", "ours"))
        note += f"; {their_cost.wall / cost.wall:.1f} times faster than evalplus; "
        note += f"{differing} verdicts differ"
    rows.append(("ours, no verdict from before", cost, note))
    again, cost = measured(by_us, programs, out, cores)
    rows.append(("ours, a second time", cost, f"{differences(ours, again, ('', ''))} changed"))
    for number in range(arguments.rounds):
        order = random.Random(number)
        places = {
            task: order.sample(range(len(found)), len(found)) for task, found in programs.items()
        }
        tasks = order.sample(list(programs), len(programs))
        shuffled = {task: [programs[task][place] for place in places[task]] for task in tasks}
        with busy(cores):
            found, cost = afresh(shuffled)
        restored: Statuses = {
            task: [found[task][places[task].index(n)] for n in range(len(places[task]))]
            for task in programs
        }
        changed = differences(ours, restored, ("before", f"round {number + 1}"))
        name = f"ours, shuffled, beside {cores} busy processes, round {number + 1}"
        rows.append((name, cost, f"{changed} changed"))
    print(f"\n{total} programs of {len(programs)} problems on {cores} cores\n")
    print("| | seconds | computing, s | peak memory, MB | with programs, MB | |")
    print("|---|---|---|---|---|---|")
    for name, (wall, computing, memory), note in rows:
        print(
            f"| {name} | {wall:.1f} | {computing:.1f} | {memory.own / 1000:.0f} | "
            f"{memory.everything / 1000:.0f} | {note} |"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == [BARE]:
        run_bare(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
