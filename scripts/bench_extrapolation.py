"""How often the interval of an extrapolated pass@k holds the truth, over simulated benchmarks.

    python scripts/bench_extrapolation.py --benchmarks 1000 --questions 200 --samples 11 --k 100

For each shape of tests/metrics/made_benchmarks.py: draws so many benchmarks, extrapolates each from a few
samples, and counts. Prints the share of intervals that hold the true pass@k of questions of the kind, how often
it lies below and above, the mean width, and the mean error of the value. Exits with 1 where a share is below
0.93.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hm_metrics.extrapolation import Extrapolated, extrapolate  # noqa: E402
from tests.metrics.made_benchmarks import SHAPES, true_pass_at  # noqa: E402

LOWEST = 0.93


def one(shape: str, questions: int, samples: int, k: int, seed: int) -> Extrapolated:
    """A benchmark of this shape, extrapolated."""
    random = np.random.default_rng([list(SHAPES).index(shape), seed])
    correct = random.binomial(samples, SHAPES[shape](questions, random))
    return extrapolate(correct, np.full(questions, samples), [k], seed=seed)[0]


def main() -> int:
    """Simulate, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--benchmarks", type=int, default=1000, help="of each shape")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--samples", type=int, default=11)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    worst = 1.0
    for shape in SHAPES:
        begin, truth = time.monotonic(), true_pass_at(SHAPES[shape], args.k)
        work = partial(one, shape, args.questions, args.samples, args.k)
        with ProcessPoolExecutor(args.jobs) as pool:
            found = list(pool.map(work, range(args.benchmarks), chunksize=10))
        below = sum(each.high < truth for each in found) / len(found)
        above = sum(each.low > truth for each in found) / len(found)
        held = 1.0 - below - above
        worst = min(worst, held)
        width = np.mean([each.high - each.low for each in found])
        error = np.mean([each.value - truth for each in found])
        print(
            f"{shape:16} pass@{args.k} {truth:.4f}: held by {held:.3f} of {len(found):,} intervals "
            f"(below it {below:.3f}, above it {above:.3f}), mean width {width:.3f}, mean error "
            f"{error:+.4f}, {time.monotonic() - begin:.0f} s",
            flush=True,
        )
    return 0 if worst >= LOWEST else 1


if __name__ == "__main__":
    sys.exit(main())
