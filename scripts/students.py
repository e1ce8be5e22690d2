"""Does it help? Students of one small model, taught by what alpha 1, alpha 0.7 and both together wrote.

    MBPP_OVERRIDE_PATH=... python scripts/students.py --pair PAIR --out runs/students

The closed circle in miniature, with PAIR of make_demo_pair.py: sample some problems of MBPP+ at both
alphas, curate sets of equal size with hm-curate, fine-tune PAIR/base on each by LoRA
(demo_pair/train.py), and measure the students' pass@k on problems that no set has. Each part is left
out where its result is there already, so that a run that was stopped goes on. Prints the table of
BENCHMARKS.md: paired differences over the held-out problems to the student of alpha 1, with 95 %
intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
from make_demo_pair import write_instruct

from hm_metrics.comparison import paired_difference

SCRIPTS = Path(__file__).resolve().parent
PROBLEMS, SEED, TASK = 378, 11, "mbppplus_passk"
ARMS = {"alpha 1": ("1",), "alpha 0.7": ("0.7",), "mixture": ("1", "0.7")}
SHOWN = ("pass@1", "pass@5", "pass@10", "distinct_correct_programs", "local_similarity")
MODEL_ARGS = "max_model_len=2048,kv_cache_memory_bytes=1073741824"


def call(command: list[str], log: Path) -> None:
    """Run a command; its words go into a log."""
    print("+", " ".join(command), flush=True)
    with log.open("a") as words:
        if subprocess.run(command, stdout=words, stderr=words).returncode:
            sys.exit(f"It failed; see {log}.")


def measure(
    options: argparse.Namespace, instruct: Path, alpha: str, which: list[int], out: Path
) -> Path:
    """The log of n samples of these problems; sampled if it is not there."""
    if not list(out.glob("*/results_*.json")):
        sides = f"base={options.pair / 'base'},instruct={instruct},alpha={alpha}"
        command = [sys.executable, "-m", "lm_eval", "run", "--model", "hm-merged", "--tasks", TASK]
        command += ["--model_args", f"{sides},{options.model_args}", "--log_samples"]
        command += ["--samples", json.dumps({TASK: which}), "--output_path", str(out)]
        call(command, options.out / "log.txt")
    return sorted(out.glob(f"*/samples_{TASK}_*.jsonl"))[-1]


def curate(options: argparse.Namespace, logs: list[Path], out: Path, size: int) -> list[dict]:
    """The records that hm-curate selects."""
    command = [sys.executable, "-m", "hm_tasks.commands.curate", *map(str, logs)]
    command += [
        "--output_path",
        str(out),
        "--max_samples",
        str(size),
        "--export",
        "openai",
        "--quiet",
    ]
    call(command, options.out / "log.txt")
    return [json.loads(line) for line in (out / "5_selected.jsonl").open()]


def teach(options: argparse.Namespace, records: list[dict], folder: Path) -> Path:
    """The student of these records, as a checkpoint."""
    student = folder / "student"
    if not (student / "model.safetensors").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"prompt": r["statement"], "answer": r["program"]}) for r in records]
        data = folder / "examples.jsonl"
        data.write_text("\n".join(lines) + "\n")
        command = [sys.executable, str(SCRIPTS / "demo_pair/train.py"), "--data", str(data)]
        command += ["--base", str(options.pair / "base"), "--work", str(folder / "work")]
        command += ["--out", str(folder), "--steps", str(options.steps), "--lr", str(options.lr)]
        call(command, options.out / "log.txt")
        write_instruct(options.pair / "base", folder / "adapter", student)
    return student


def values(log: Path, metric: str) -> np.ndarray:
    """One number of each problem, nan where it has none."""
    found = [json.loads(line).get(metric) for line in log.open()]
    return np.array([np.nan if value is None else float(value) for value in found])


def row(name: str, log: Path, against: Path | None, set_facts: str) -> str:
    """A line of the table."""
    results = json.loads(sorted(log.parent.glob("results_*.json"))[-1].read_text())["results"][TASK]
    cells = [name, set_facts]
    for metric in SHOWN:
        value, error = results.get(f"{metric},scored"), results.get(f"{metric}_stderr,scored")
        known = [f"{number:.3f}" for number in (value, error) if isinstance(number, float)]
        cells.append(" ± ".join(known) or str(value))
    for metric in ("pass@1", "pass@10"):
        if against is None or against == log:
            cells.append("")
            continue
        found = paired_difference(values(log, metric), values(against, metric))
        cells.append(f"{found.estimate:+.3f} [{found.low:+.3f}, {found.high:+.3f}]")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pair", type=Path, required=True, help="holds base/ and instruct/")
    parser.add_argument("--out", type=Path, required=True, help="everything goes below it")
    parser.add_argument("--train", type=int, default=200, help="problems that are sampled (200)")
    parser.add_argument("--held_out", type=int, default=120, help="problems to measure on (120)")
    parser.add_argument("--size", type=int, default=96, help="most examples of a set (96)")
    parser.add_argument("--steps", type=int, default=48, help="of 6 examples each (48)")
    parser.add_argument("--lr", type=float, default=5e-4, help="highest learning rate (5e-4)")
    parser.add_argument("--model_args", default=MODEL_ARGS, help="of hm-merged beside the pair")
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    options.out.mkdir(parents=True, exist_ok=True)
    order = random.Random(SEED).sample(range(PROBLEMS), PROBLEMS)
    seen = sorted(order[: options.train])
    unseen = sorted(order[options.train : options.train + options.held_out])
    logs = {
        alpha: measure(
            options, options.pair / "instruct", alpha, seen, options.out / f"alpha{alpha}"
        )
        for alpha in ("1", "0.7")
    }
    given = {arm: [logs[alpha] for alpha in alphas] for arm, alphas in ARMS.items()}
    # All sets get the size of the smallest.
    found = {arm: curate(options, given[arm], options.out / arm, options.size) for arm in ARMS}
    size = min(map(len, found.values()))
    sets = {arm: curate(options, given[arm], options.out / arm, size) for arm in ARMS}
    tests = {}
    for arm, records in sets.items():
        student = teach(options, records, options.out / arm)
        tests[arm] = measure(options, student, "1", unseen, options.out / arm / "test")
    base = options.pair / "base"
    tests["nobody"] = measure(options, base, "1", unseen, options.out / "nobody")
    head = ["student of", "its set", *SHOWN, "pass@1 less alpha 1's", "pass@10 less alpha 1's"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for arm, log in tests.items():
        records = sets.get(arm, [])
        problems, programs = ({r[key] for r in records} for key in ("problem", "program"))
        facts = f"{len(records)} examples, {len(problems)} problems, {len(programs)} programs"
        print(row(arm, log, tests["alpha 1"], facts if records else "none"))


if __name__ == "__main__":
    main()
