"""Greedy answers of a vLLM engine at one alpha after another, printed as one JSON line.

    python answers.py '{"base": ..., "instruct": ..., ...}' '[0.7, 0.3, 0.7]'

A program of its own, because an engine is only gone with its process. For each alpha: token ids and
log-probabilities of every prompt, and the process ids of the engine.
"""

import json
import subprocess
import sys
from pathlib import Path

PROMPTS = ("w1 w2 w3", "def add(a, b):", "The capital of France is")


def answers(arguments: dict, alphas: list, cache: Path, **environment: str) -> list[dict]:
    """Run this file in a process of its own and return what it printed."""
    import os

    done = subprocess.run(
        [sys.executable, __file__, json.dumps(arguments), json.dumps(alphas)],
        env=os.environ | {"HM_CACHE": str(cache)} | environment,
        cwd=cache,
        capture_output=True,
        text=True,
        timeout=900,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(lines[0].removeprefix("ANSWERS"))


def main() -> None:
    import psutil
    from vllm import SamplingParams

    from hm_models.merged import HindsightMerged

    arguments, alphas = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    lm = HindsightMerged(alpha=alphas[0], backend="vllm", **arguments)
    greedy = SamplingParams(temperature=0, max_tokens=16, logprobs=1, ignore_eos=True)
    found = []
    for number, alpha in enumerate(alphas):
        if number:
            lm.set_alpha(alpha)
        # One at a time: which prompts share a batch is a race, and rounding depends on the batch.
        outputs = [
            lm.lm.model.generate(prompt, greedy, use_tqdm=False)[0].outputs[0] for prompt in PROMPTS
        ]
        texts = [[list(output.token_ids), output.cumulative_logprob] for output in outputs]
        engines = sorted(child.pid for child in psutil.Process().children(recursive=True))
        found.append(
            {"alpha": alpha, "answers": texts, "engines": engines, "info": lm.get_model_info()}
        )
    print("ANSWERS" + json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
