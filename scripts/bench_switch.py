"""What taking turns costs: tokens a second of one model, of a mixture, and of each rule of switching.

    python scripts/bench_switch.py --base PAIR/base --instruct PAIR/instruct

All run on transformers, in one process and in turn, so that other work on the machine meets all. Prints
tokens a second and, beside one model's, the ratio.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time

from lm_eval.api.instance import Instance

from hm_models.merged import HindsightMerged
from hm_models.samples.key import jobs_of

PROMPTS = (
    "Write a Python function that returns the n-th Fibonacci number.",
    "Explain in a few sentences why the sky is blue.",
    "Write a Python function that tells whether a string is a palindrome, and explain it.",
)
METHODS = {
    "one model (alpha=1)": {"alpha": 1},
    "mix, alpha=0.7": {"merge_method": "mix", "alpha": 0.7},
    **{
        f"switch {params}": {"merge_method": "switch", "merge_params": params}
        for params in ({"every": 1}, {"every": 16}, {"at": "sentence"}, {"probability": 0.1})
    },
}


def tokens_a_second(lm: HindsightMerged, samples: int, tokens: int, seed: int) -> float:
    asked = {"until": [], "do_sample": True, "temperature": 0.7, "max_gen_toks": tokens}
    requests = [
        Instance(
            "generate_until",
            {},
            (lm.apply_chat_template(chat), asked),
            idx=0,
            task_name="",
            doc_id=0,
        )
        for prompt in PROMPTS
        for chat in [[{"role": "user", "content": prompt}]]
    ]
    jobs = jobs_of([r for r in requests for _ in range(samples)], lm.sampling.model, seed)
    assert lm.lm is not None  # loaded before the time is taken
    count = 0

    def take(finished: list) -> None:
        nonlocal count
        count += sum(answer.facts["tokens"] for _, answer in finished)

    began = time.perf_counter()
    lm.engine.sample(jobs, take)
    return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", required=True)
    parser.add_argument("--instruct", required=True)
    parser.add_argument("--samples", type=int, default=4, help="for each of 3 prompts (4)")
    parser.add_argument("--tokens", type=int, default=96, help="at most, an answer (96)")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 12], help="(1 12)")
    parser.add_argument("--rounds", type=int, default=3, help="of all methods in turn (3)")
    options = parser.parse_args()
    pair = {"base": options.base, "instruct": options.instruct, "backend": "hf"}
    models = {name: HindsightMerged(**pair, **method) for name, method in METHODS.items()}
    for lm in models.values():
        tokens_a_second(lm, 1, 4, -1)  # loads it
    print("| batch | method | tokens/s | of one model's |")
    print("|---|---|---|---|")
    for size in options.batch_sizes:
        found: dict[str, list[float]] = {name: [] for name in models}
        for seed, (name, lm) in itertools.product(range(options.rounds), models.items()):
            lm.lm.batch_size_per_gpu = size
            found[name].append(tokens_a_second(lm, options.samples, options.tokens, seed))
        alone = next(iter(found.values()))
        for name, speeds in found.items():
            ratio = statistics.median(a / b for a, b in zip(speeds, alone, strict=True))
            print(
                f"| {size} | {name} | {statistics.median(speeds):.1f} | {ratio:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
