"""How fast diversity is measured: similarities, embeddings, an endpoint that misbehaves.

    python scripts/bench_diversity.py --samples OUT/*/samples_mbppplus_passk_*.jsonl
    python scripts/bench_diversity.py similarities full_matrix

Each case runs in a process of its own and prints a line of the table; `peak` is its largest resident
memory. Only ratios of one run compare: wall times of a shared machine swing. Cases:

- similarities: local and global similarity of 1,000,000 vectors of 150 dimensions in 1,000 questions.
- full_matrix: 20,000 vectors by the whole matrix and a loop over questions, which is what the authors'
  notebook does, and by this project.
- errors: bootstrapped standard errors of 1,000 questions, 2,000 resamples.
- offline: the programs of --samples through the offline embedder, and once more.
- endpoint: 4,000 texts from a server on loopback with 200 ms latency, 5 % 429s (Retry-After 0.2 s),
  5 % 500s and a truncated answer; ideal is what its answers and failures take at this concurrency.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import seconds

ROOT = Path(__file__).resolve().parents[1]
LATENCY_S, CONCURRENCY, BATCH = 0.2, 16, 10


def random_vectors(n: int, questions: int) -> tuple[np.ndarray, np.ndarray]:
    """[n, 150] float32 unit rows, and their questions in no order."""
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((n, 150), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, generator.integers(0, questions, n)


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def similarities(samples: list[Path]) -> str:
    from hm_metrics.diversity import global_similarity, local_similarity

    vectors, groups = random_vectors(1_000_000, 1000)
    local_similarity(vectors[:10], groups[:10])  # imports scipy
    before = peak_gb()
    local = seconds(lambda: local_similarity(vectors, groups))
    across = seconds(lambda: global_similarity(vectors, groups))
    return (
        f"both {local + across:.2f} s (local {local:.2f}, global {across:.2f}); peak "
        f"{peak_gb():.2f} GB, of it the vectors and making them {before:.2f}"
    )


def full_matrix(samples: list[Path]) -> str:
    from hm_metrics.diversity import global_similarity_all_pairs, local_similarity

    vectors, groups = random_vectors(20_000, 1000)
    local_similarity(vectors[:10], groups[:10])  # imports scipy
    wide = vectors.astype(np.float64)  # lists of Python floats make float64 there
    found = {}

    def whole() -> None:
        found["all"] = float((wide @ wide.T).mean(axis=1).mean())

    def by_question() -> None:
        means = []
        for question in np.unique(groups):
            rows = wide[groups == question]
            similar = rows @ rows.T
            np.fill_diagonal(similar, 0)
            means.append(similar.sum() / (len(rows) * (len(rows) - 1)))
        found["local"] = float(np.mean(means))

    ours = [
        seconds(lambda: found.update(ours_all=global_similarity_all_pairs(vectors, groups))),
        seconds(lambda: found.update(ours_local=local_similarity(vectors, groups))),
    ]
    before = peak_gb()
    theirs = [seconds(whole), seconds(by_question)]
    return (
        f"all pairs {theirs[0]:.3f} s / {ours[0]:.4f} s = {theirs[0] / ours[0]:.0f}; local "
        f"{theirs[1]:.3f} s / {ours[1]:.4f} s = {theirs[1] / ours[1]:.0f}; both together "
        f"{sum(theirs) / sum(ours):.0f}; peak {peak_gb():.2f} GB against {before:.2f}; differences "
        f"{abs(found['all'] - found['ours_all']):.0e}, {abs(found['local'] - found['ours_local']):.0e}"
    )


def errors(samples: list[Path]) -> str:
    from hm_metrics.diversity import (
        global_over_questions,
        local_over_questions,
        question_sums,
        standard_error,
    )

    sums = question_sums(*random_vectors(20_000, 1000))
    times = [
        seconds(lambda measure=measure: standard_error(measure, sums, 2_000))
        for measure in (local_over_questions, global_over_questions)
    ]
    return f"local {times[0]:.2f} s, global {times[1]:.2f} s"


def offline(samples: list[Path]) -> str:
    from hm_metrics.logs.samples import read_log
    from hm_models.embedders import make_embedder
    from hm_models.embedders.vectors import embed

    programs = [v.program for file in samples for item in read_log(file) for v in item.verdicts]
    first = seconds(lambda: embed(programs, make_embedder("minilm")))
    again = seconds(lambda: embed(programs, make_embedder("minilm")))
    code = (
        "import sys, time; begin = time.perf_counter()\n"
        "from pathlib import Path\n"
        "from hm_models.embedders import make_embedder\n"
        "from hm_models.embedders.vectors import embed\n"
        "from hm_metrics.logs.samples import read_log\n"
        "embed([v.program for f in sys.argv[1:] for i in read_log(Path(f)) for v in i.verdicts],"
        " make_embedder('minilm'))\n"
        "print(time.perf_counter() - begin)"
    )
    command = [sys.executable, "-c", code, *map(str, samples)]
    fresh = float(subprocess.check_output(command, cwd=ROOT, text=True))
    return (
        f"{len(programs)} programs, {len(set(programs))} different: {first:.1f} s; once more "
        f"{again:.2f} s, in a new process with imports and reading the log {fresh:.2f} s; "
        f"peak {peak_gb():.2f} GB"
    )


SERVER = """
import json, random, sys
from tests.models.endpoints.endpoint import Endpoint, cut_off, limit, status
generator, failures = random.Random(0), []
def fault(number):
    draw = generator.random()
    found = limit(0.2) if draw < 0.05 else status(500) if draw < 0.1 else None
    found = cut_off if number == 100 else found
    failures.extend([number] if found else [])
    return found
with Endpoint(latency_s=float(sys.argv[1]), faults=fault) as server:
    print(server.url, flush=True)
    sys.stdin.read()
    print(json.dumps([len(server.requests), len(failures), max(server.texts.values())]))
"""


def endpoint(samples: list[Path]) -> str:
    import httpx as library  # its import takes time, which is not the endpoint's

    from hm_models.embedders import openai
    from hm_models.endpoints.client import Endpoint
    from tests.models.endpoints.endpoint import vector_of

    texts = [f"def f{n}(x):\n    return x + {n}\n" for n in range(4000)]
    rows: dict[int, np.ndarray] = {}
    command = [sys.executable, "-c", SERVER, str(LATENCY_S)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as server:
        url = server.stdout.readline().strip()
        openai.BATCH_TEXTS = BATCH
        embedder = openai.OpenAIEmbedder("openai:m", "m", 8, url)
        embedder.endpoint = Endpoint(url, concurrency=CONCURRENCY)

        def work() -> None:
            for positions, vectors in embedder.encode(texts):
                for position, vector in zip(positions, vectors, strict=True):
                    assert position not in rows
                    rows[position] = vector

        took = seconds(work)
        requests, failures, most = json.loads(server.communicate()[0])
    right = all(np.abs(rows[n] - vector_of(text)).max() < 1e-6 for n, text in enumerate(texts))
    calls = len(texts) / BATCH
    ideal, plain = ((n * LATENCY_S / CONCURRENCY) for n in (calls + failures, calls))
    return (
        f"{len(rows)} of {len(texts)} vectors, {'each right' if right else 'WRONG'}, embedded "
        f"{most} time(s) each; {failures} failures of {requests} requests; {took:.2f} s / ideal "
        f"{ideal:.2f} s = {took / ideal:.2f} (as if nothing failed {plain:.2f} s: "
        f"{took / plain:.2f}); httpx {library.__version__}"
    )


CASES = {case.__name__: case for case in (similarities, full_matrix, errors, offline, endpoint)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", default=[], help=f"{', '.join(CASES)} (all)")
    parser.add_argument("--samples", type=Path, nargs="*", default=[], help="logs, for `offline`")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        parser.error(f"no case {', '.join(unknown)}; known: {', '.join(CASES)}")
    if arguments.inside:
        sys.path.insert(0, str(ROOT))
        print(json.dumps(CASES[arguments.cases[0]](arguments.samples)))
        return 0
    wanted = arguments.cases or [c for c in CASES if c != "offline" or arguments.samples]
    with tempfile.TemporaryDirectory() as cache:
        for case in wanted:
            command = [sys.executable, __file__, case, "--inside"]
            command += ["--samples", *map(str, arguments.samples)]
            environment = os.environ | {"HM_CACHE": cache}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                return done.returncode
            print(f"| {case} | {json.loads(done.stdout.splitlines()[-1])} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
