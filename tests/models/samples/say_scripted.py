"""What a scripted model says under several settings, on one backend, as JSON.

    python -m tests.models.samples.say_scripted vllm FOLDER

A process of its own, as vLLM's engine is started and ended with it.
"""

import json
import sys
from pathlib import Path

from hm_metrics.entropy import TokenSums
from hm_models.merged import HindsightMerged
from tests.models.noting_request import NotingRequest

SCRIPT = "I say STOP here.\n</think>\nYes. STOP And on it goes."
# Of one length in tokens, as the script is said from one place on; the first begins a thought.
THINKING, PLAIN = "Well? <think>\n", "Well? What is "
ENGINES = {
    "vllm": {"max_model_len": 512, "enforce_eager": True, "kv_cache_memory_bytes": 2**28},
    "hf": {"device": "cpu"},
}
CASES = {
    "a stop string": (THINKING, ["STOP"], 90, None),
    "none": (THINKING, [], 90, None),
    "behind the marker at once": (THINKING, ["\nYes"], 90, None),
    "cut off in the thought": (THINKING, ["STOP"], 12, None),
    "cut off in the answer": (THINKING, ["STOP"], 30, None),
    "no thought": (PLAIN, ["STOP"], 90, None),
    "given": (THINKING, ["STOP"], 90, "</think>"),
    "given, by its tokens' text, and cut off": (THINKING, ["STOP"], 12, "</think>"),
    "given, without a beginning": (PLAIN, ["STOP"], 90, "</think>"),
}


class Request(NotingRequest):
    measure_tokens = TokenSums


def say(backend: str, folder: Path) -> None:
    """Write what is said to `<backend>.json` in the folder, whose `model` is the scripted one."""
    model = str(folder / "model")
    lm = HindsightMerged(
        base=model,
        instruct=model,
        alpha=1.0,
        backend=backend,
        prompt_style="completion",
        dtype="float32",
        **ENGINES[backend],
    )
    found = {}
    for name, (prompt, until, most, given) in CASES.items():
        lm.keep_samples_in(folder / f"{backend} {name}")
        lm.lm.think_end_token = given
        settings = {"until": until, "max_gen_toks": most, "do_sample": False}
        request = Request("generate_until", {}, (prompt, settings), 0, metadata=("task", 0, 1))
        (text,) = lm.generate_until([request], disable_tqdm=True)
        ((_, sample),) = request.taken
        found[name] = [text, sample.facts.get("answer", "not told"), sample.facts["tokens"]]
        assert sample.facts.get("measured_tokens", sample.facts["tokens"])
    (folder / f"{backend}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    say(sys.argv[1], Path(sys.argv[2]))
