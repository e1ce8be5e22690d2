"""One table over runs of a pass@k task: pass@1, pass@10 and how alike the samples are.

Reads the harness's own samples_*.jsonl; similarities are those of the paper (hm_metrics.diversity)
over extracted programs, embedded by the offline default, so they compare with each other and not with
the paper's. `hm-diversity` has them with errors, and more.

    python scripts/demo_pair/compare.py OUT/*/samples_demo_passk_*.jsonl
"""

import argparse
import re
import statistics
import sys
from pathlib import Path

import numpy as np

from hm_metrics.diversity import global_similarity, local_similarity
from hm_metrics.logs.samples import LogError, read_log
from hm_metrics.pass_at_k import pass_at_k
from hm_metrics.verdict import PASS
from hm_models.embedders import Unusable, make_embedder
from hm_models.embedders.vectors import embed

HEADER = (
    "alpha",
    "problems",
    "pass@1",
    "pass@10",
    "share of different texts",
    "local similarity",
    "global similarity",
)


def row(file: Path) -> list[str]:
    """One line of the table."""
    problems = [item.verdicts for item in read_log(file)]
    alpha = re.search(r"--alpha([\d.]+)", str(file))
    rates = {1: [], 10: []}
    for verdicts in problems:
        c = sum(v.base_status == v.plus_status == PASS for v in verdicts)
        for k, values in rates.items():
            values.append(pass_at_k(len(verdicts), c, k))
    programs = [verdict.program for verdicts in problems for verdict in verdicts]
    groups = np.repeat(np.arange(len(problems)), [len(verdicts) for verdicts in problems])
    found = embed(programs, make_embedder("minilm"))
    rows = found.rows(programs)
    vectors, groups = found.vectors[rows[rows >= 0]], groups[rows >= 0]
    distinct = [len({v.program for v in verdicts}) / len(verdicts) for verdicts in problems]
    cells = [alpha[1] if alpha else file.parent.name, str(len(problems))]
    for k, values in rates.items():
        error = statistics.stdev(values) / len(values) ** 0.5
        cells.append(f"{statistics.mean(rates[k]):.3f} ± {error:.3f}")
    similarities = (measure(vectors, groups) for measure in (local_similarity, global_similarity))
    return [*cells, f"{statistics.mean(distinct):.2f}", *(f"{value:.3f}" for value in similarities)]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Compare runs of a pass@k task in a Markdown table.",
        epilog="example: python scripts/demo_pair/compare.py OUT/*/samples_demo_passk_*.jsonl",
    )
    parser.add_argument("samples", type=Path, nargs="+", help="samples_*.jsonl of --log_samples")
    args = parser.parse_args()
    try:
        rows = sorted(row(file) for file in args.samples)
    except (LogError, Unusable) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 1
    for cells in (HEADER, ["---"] * len(HEADER), *rows):
        print("| " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
