"""One sweep over four alphas beside four runs of the harness, from start to end, on the same machine.

    python scripts/bench_sweep.py --base PAIR/base --instruct PAIR/instruct --limit 6

Both run the same points: demo_passk, n = 11, alphas 0, 0.7, 0.9, 1, each into an empty cache. The sweep
keeps one engine; the separate runs are `lm_eval run`, one process after the other. They take turns,
--rounds times. Prints seconds and their ratio; --model_args goes to both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ALPHAS = ("0", "0.7", "0.9", "1")


def seconds(commands: list[list[str]], folder: Path) -> float:
    """What the commands take, one after the other, with one empty cache."""
    environment = os.environ | {"HM_CACHE": str(folder / "cache")}
    began = time.perf_counter()
    for command in commands:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return time.perf_counter() - began


def commands(options: argparse.Namespace, folder: Path) -> dict[str, list[list[str]]]:
    """The sweep, and the runs, each writing below `folder`."""
    shared = ["--tasks", "demo_passk", "--limit", str(options.limit)]
    shared += ["--gen_kwargs", f"max_gen_toks={options.tokens}"]
    sides = [f"base={options.base}", f"instruct={options.instruct}"]
    sweep = [sys.executable, "-m", "hm_metrics.commands.sweep", *shared]
    sweep += ["--base", options.base, "--instruct", options.instruct]
    sweep += ["--alphas", *ALPHAS, "--output_path", str(folder / "sweep")]
    sweep += ["--model_args", *options.model_args] if options.model_args else []
    run = [sys.executable, "-m", "lm_eval", "run", "--model", "hm-merged", *shared, "--log_samples"]
    run += ["--output_path", str(folder / "runs"), "--model_args", *sides, *options.model_args]
    runs = [[*run, f"alpha={alpha}"] for alpha in ALPHAS]
    return {"sweep": [sweep], "separate runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", required=True)
    parser.add_argument("--instruct", required=True)
    parser.add_argument("--limit", type=int, default=36, help="problems of demo_passk (all 36)")
    parser.add_argument("--tokens", type=int, default=768, help="most tokens of an answer (768)")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--model_args", nargs="*", default=[], help="more, as KEY=VALUE")
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    found: dict[str, list[float]] = {"sweep": [], "separate runs": []}
    for number in range(options.rounds):
        for way in found:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                found[way].append(seconds(commands(options, folder)[way], folder))
            print(f"round {number}, {way}: {found[way][-1]:.1f} s", flush=True)
    ratio = statistics.median(found["sweep"]) / statistics.median(found["separate runs"])
    print(f"sweep / separate runs: {ratio:.2f}")


if __name__ == "__main__":
    main()
