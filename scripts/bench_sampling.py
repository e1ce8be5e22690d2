"""Sampling beside vLLM itself and the harness, on one engine; and the store, up to a million samples.

    MBPP_OVERRIDE_PATH=... python scripts/bench_sampling.py engine --base B --instruct I
    python scripts/bench_sampling.py store --rows 1000000

`engine`: the prompts of 24 problems of MBPP+, n = 11, every answer of exactly --tokens tokens, so that
all do the same work: `LLM.generate` with n=11, the harness's own `generate_until` with 11 repeats, and
hm-merged's, which keeps each sample as it ends. They take turns; the median of the rounds counts.
`store`: what keeping a sample and finding a run of 4,158 cost, as the file grows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

PROBLEMS, N = 24, 11
RUN = (378, 11)  # MBPP+: problems, samples of each


def bench_engine(options: argparse.Namespace, folder: Path) -> None:
    """tokens/s of each way, round by round."""
    from lm_eval.api.instance import Instance
    from lm_eval.tasks import TaskManager
    from vllm import SamplingParams, TokensPrompt

    from hm_models.merged import HindsightMerged
    from hm_tasks.code_passk.prompts import chat_prompt

    lm = HindsightMerged(
        base=options.base,
        instruct=options.instruct,
        alpha=0.7,
        backend="vllm",
        # The prompts are rendered here, and are not to be wrapped once more.
        prompt_style="completion",
        max_model_len=2048,
        enforce_eager=True,
        kv_cache_memory_bytes=1 << 31,
    )
    task = TaskManager().load(["mbppplus_passk"])["tasks"]["mbppplus_passk"]
    docs = list(task.test_docs())[:PROBLEMS]
    prompts = [chat_prompt(doc["prompt"], lm.apply_chat_template, None) for doc in docs]
    asked = {"do_sample": True, "temperature": 0.7, "top_p": 0.95, "ignore_eos": True, "until": []}
    asked["max_gen_toks"] = options.tokens
    total = PROBLEMS * N * options.tokens

    def requests() -> list[Instance]:
        made = [
            Instance(
                **dict(
                    request_type="generate_until", doc={}, arguments=(prompt, dict(asked)), idx=0
                ),
                **dict(task_name="bench", doc_id=doc, metadata=("bench", doc, N)),
            )
            for doc, prompt in enumerate(prompts)
        ]
        return [request for request in made for _ in range(N)]

    def by_vllm(number: int) -> None:
        parameters = SamplingParams(
            n=N,
            temperature=0.7,
            top_p=0.95,
            max_tokens=options.tokens,
            ignore_eos=True,
            seed=number,
        )
        tokens = [TokensPrompt(prompt_token_ids=ids) for ids in lm.lm.tok_encode(prompts)]
        lm.lm.model.generate(tokens, parameters, use_tqdm=False)

    def by_harness(number: int) -> None:
        lm.lm.generate_until(requests(), disable_tqdm=True)

    def by_us(number: int) -> None:
        lm.keep_samples_in(folder / f"round{number}.sqlite")
        lm.generate_until(requests(), disable_tqdm=True)

    ways = {"LLM.generate, n=11": by_vllm, "harness, 11 repeats": by_harness, "hm-merged": by_us}
    lm.lm.model.generate("warm", SamplingParams(max_tokens=8), use_tqdm=False)
    speeds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(options.rounds):
        for way, run in ways.items():
            lm.lm.model.reset_prefix_cache()
            began = time.perf_counter()
            run(number)
            speeds[way].append(total / (time.perf_counter() - began))
            print(f"round {number}, {way}: {speeds[way][-1]:.1f} tokens/s", flush=True)
    ours = statistics.median(speeds.pop("hm-merged"))
    for way, found in speeds.items():
        print(f"hm-merged / {way}: {ours / statistics.median(found):.3f}")


def bench_store(options: argparse.Namespace, folder: Path) -> None:
    """Milliseconds for a put of one sample, seconds for finding a run, at 1 %, 10 % and all rows."""
    from hm_models.samples.key import ModelKey, SampleKey
    from hm_models.samples.store import Answer, SampleStore

    text = "def f(x):\n    return x + 1  # " + "some words of a usual answer, " * 15
    print(f"{'rows':>10}{'put, ms':>10}{'find a run, s':>15}{'file, MB':>10}")
    with SampleStore(folder / "samples.sqlite") as store:
        written = 0

        def rows(count: int) -> list[tuple[SampleKey, str, Answer]]:
            nonlocal written
            made = []
            for _ in range(count):
                # Keys are digests: they come in no order.
                key = SampleKey(_digest(written // N), written % N)
                made.append((key, "bench", Answer(text, {"tokens": 120, "ended": "stop"})))
                written += 1
            return made

        for goal in (options.rows // 100, options.rows // 10, options.rows):
            model = ModelKey(f"model of {goal}", {"alpha": 0.7})
            while written < goal - 2000:
                store.put(model, rows(min(5000, goal - 2000 - written)))
            began = time.perf_counter()
            for row in rows(2000):
                store.put(model, [row])
            put = (time.perf_counter() - began) / 2000
            questions = [_digest(q * (written // N // RUN[0])) for q in range(RUN[0])]
            began = time.perf_counter()
            found = store.find(questions)
            seconds = time.perf_counter() - began
            assert len(found) == RUN[0] * RUN[1], len(found)
            size = (folder / "samples.sqlite").stat().st_size / 1e6
            print(f"{written:>10}{1000 * put:>10.3f}{seconds:>15.3f}{size:>10.0f}", flush=True)


def _digest(number: int) -> bytes:
    import hashlib

    return hashlib.sha256(str(number).encode()).digest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["engine", "store"])
    parser.add_argument("--base")
    parser.add_argument("--instruct")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of each answer (64)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory() as folder:
        bench = {"engine": bench_engine, "store": bench_store}[options.what]
        bench(options, Path(folder))


if __name__ == "__main__":
    main()
