"""Verdicts and time of scoring, beside evalplus itself, on the same programs and the same cores.

    MBPP_OVERRIDE_PATH=... python scripts/bench_scoring.py SAMPLES --out runs/bench_scoring --n 1

SAMPLES is a samples_mbppplus_passk_*.jsonl of a run; the first n programs of each problem are scored
by `evalplus.evaluate` and by this project, without verdicts from before, and every one that differs is
printed. The reference solutions' outputs are computed beforehand on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path


def programs_of(samples: Path, n: int) -> dict[str, list[str]]:
    """The first n programs of each problem in the harness's log."""
    found = {}
    for line in samples.read_text().splitlines():
        record = json.loads(line)
        verdicts = [json.loads(text) for text in record["filtered_resps"][0]]
        found[record["doc"]["task_id"]] = [verdict["program"] for verdict in verdicts[:n]]
    return found


def by_evalplus(programs: dict[str, list[str]], out: Path, cores: int) -> dict[str, list[tuple]]:
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


def by_us(programs: dict[str, list[str]], out: Path, cores: int) -> dict[str, list[tuple]]:
    """Statuses that this project gives, in order."""
    from hm_tasks.code_passk.dataset import Source, load_problems
    from hm_tasks.execution.pool import check_all

    source = Source(
        release="MbppPlus", release_version="v0.2.0", override="MBPP_OVERRIDE_PATH", oracle="mbpp"
    )
    problems = {problem.task_id: problem for problem in load_problems(source, out)[0]}
    verdicts = check_all([(problems[t], texts) for t, texts in programs.items()], n_workers=cores)
    return {
        task: [(verdict.base_status, verdict.plus_status) for verdict in found]
        for task, found in zip(programs, verdicts, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("samples", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=1, help="programs of each problem (default 1)")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    os.environ["HM_CACHE"] = str(arguments.out / "cache")
    programs = programs_of(arguments.samples, arguments.n)
    # One round on programs that are no programs: it makes both sides compute their references.
    nothing = {task: ["0"] for task in programs}
    found, seconds = {}, {}
    for name, score in (("evalplus", by_evalplus), ("ours", by_us)):
        score(nothing, arguments.out, arguments.cores)
        began = time.perf_counter()
        found[name] = score(programs, arguments.out, arguments.cores)
        seconds[name] = time.perf_counter() - began
    differing = 0
    for task, theirs in found["evalplus"].items():
        for number, (one, other) in enumerate(zip(theirs, found["ours"][task], strict=True)):
            if one != other:
                differing += 1
                print(f"{task}, program {number}: evalplus {one}, ours {other}")
    total = sum(map(len, programs.values()))
    print(
        f"{total} programs on {arguments.cores} cores: evalplus {seconds['evalplus']:.0f} s, ours "
        f"{seconds['ours']:.1f} s, ratio {seconds['evalplus'] / seconds['ours']:.1f}; "
        f"{differing} verdicts differ"
    )


if __name__ == "__main__":
    main()
