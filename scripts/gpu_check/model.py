"""What is asked of a plain or a merged model, in a process of its own: the harness's own requests.

python scripts/gpu_check/model.py ASKED.json FOUND.json
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIRST, OTHER = 0.7, 0.3
SAMPLES, SAMPLE_TOKENS = {"full": 128, "small": 8}, {"full": 128, "small": 16}
PROMPTS = ("w1 w2 w3", "w40", "w7 w8 w9 w10 w11 w12", "w300 w200 w100")
GREEDY_TOKENS, SCORED_TOKENS = 24, 32


def answers(lm: Any) -> dict[str, list]:
    """Greedy texts, and the log-probability of a given text behind each prompt."""
    # One at a time: which requests share a batch is a race, and rounding depends on the batch.
    greedy = {"until": [], "max_gen_toks": GREEDY_TOKENS, "do_sample": False}
    said = [
        lm.generate_until([request(prompt, greedy)], disable_tqdm=True)[0] for prompt in PROMPTS
    ]
    text = "".join(f" w{7 * number}" for number in range(1, SCORED_TOKENS + 1))
    return {"texts": said, "scores": [score(lm, prompt, text) for prompt in PROMPTS]}


def request(prompt: str, second: object, number: int = 0) -> Any:
    """A request of the harness: for a text with settings, for a score with a continuation."""
    from lm_eval.api.instance import Instance

    kind = "loglikelihood" if isinstance(second, str) else "generate_until"
    # By name, and each fact twice, as each release of the harness takes it.
    return Instance(
        **dict(request_type=kind, doc={}, arguments=(prompt, second), idx=number),
        **dict(task_name="check_gpu", doc_id=number, metadata=("check_gpu", number, 1)),
    )


def score(lm: Any, prompt: str, continuation: str) -> float:
    """Log-probability of a continuation, a token."""
    ((total, _),) = lm.loglikelihood([request(prompt, continuation)])
    return total / len(continuation.split())


def gap(lm: Any, prompt: str, ours: str, theirs: str) -> float:
    """How far apart two tokens are, by log-probability, at which greedy texts part; 0 if they do not."""
    if ours == theirs:
        return 0.0
    said, right = ours.split(), theirs.split()
    for at, (own, other) in enumerate(zip(said, right, strict=False)):
        if own != other:
            context = " ".join([prompt, *said[:at]])
            return abs(score(lm, context, f" {own}") - score(lm, context, f" {other}"))
    return math.inf  # one of them has ended


def sampling_speed(lm: Any, size: str) -> float:
    """Tokens a second of answers to as many prompts, at temperature 1."""
    settings = {"until": [], "max_gen_toks": SAMPLE_TOKENS[size], "do_sample": True}
    settings["temperature"] = 1.0
    asked = [request(f"w{n} w{n + 1}", settings, n) for n in range(SAMPLES[size])]
    began = time.perf_counter()
    texts = lm.generate_until(asked, disable_tqdm=True)
    return sum(len(text.split()) for text in texts) / (time.perf_counter() - began)


def seconds(action: Callable[[], object]) -> float:
    """How long something takes, work on the device included."""
    import torch

    began = time.perf_counter()
    action()
    if torch.cuda.is_initialized():  # not in vLLM's front end, which waits by itself
        torch.cuda.synchronize()
    return time.perf_counter() - began


def host_peak() -> float | None:
    """Peak resident GB of the largest of this process and its children; None where Linux does not say."""
    import psutil

    peaks = []
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            if "VmHWM:" in status:
                peaks.append(int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9)
    return max(peaks, default=None)


def arguments_of(backend: str, device: str) -> dict[str, Any]:
    """What both the plain and the merged model are loaded with."""
    if backend == "hf":
        return {"device": device, "dtype": "bfloat16", "batch_size": 32}
    own = {"gpu_memory_utilization": 0.4, "kv_cache_memory_bytes": 1 << 30}
    if device == "cpu":
        # No graphs there, and no prompts in pieces, with which its seeded requests cannot be computed.
        own = {"enforce_eager": True, "kv_cache_memory_bytes": 1 << 27}
        own |= {"enable_chunked_prefill": False, "gpu_memory_utilization": 0.4}
    return {"dtype": "bfloat16", "max_model_len": 512, "max_num_seqs": 128} | own


def graphs_of(worker: Any) -> str:
    """In a worker of vLLM: which CUDA graphs it has, as what it was asked for may not be there."""
    return worker.vllm_config.compilation_config.cudagraph_mode.name


def plain(asked: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint on disk, with the harness's own class."""
    if asked["backend"] == "vllm":
        from lm_eval.models.vllm_causallms import VLLM as Model

        # One core of two for a front end that hardly uses it, as hm-merged does not either.
        os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")
    else:
        from lm_eval.models.huggingface import HFLM as Model

    held: list[Any] = []
    arguments = arguments_of(asked["backend"], asked["device"])
    load = seconds(lambda: held.append(Model(pretrained=asked["folder"], **arguments)))
    found = {"load": load} | answers(held[0]) | {"speed": sampling_speed(held[0], asked["size"])}
    return found | {"host": host_peak()}


def merged(asked: dict[str, Any]) -> dict[str, Any]:
    """The pair, streamed, and to another alpha and back."""
    from hm_models.merged import HindsightMerged

    out, backend = Path(asked["out"]), asked["backend"]
    lm = HindsightMerged(
        base=str(out / "base"),
        instruct=str(out / "instruct"),
        alpha=FIRST,
        backend=backend,
        prompt_style="completion",
        **arguments_of(backend, asked["device"]),
    )
    found: dict[str, Any] = {"load": seconds(lambda: lm.lm), "steps": [], "change": []}
    engine = lm.lm
    for number, alpha in enumerate((FIRST, OTHER, FIRST)):
        if number:
            found["change"].append(seconds(lambda alpha=alpha: lm.set_alpha(alpha)))
        lm.keep_samples_in(
            out / f"kept-{number}"
        )  # else the way back would be answered from the way there
        step = answers(lm)
        right = asked["references"][str(alpha)]
        step["gaps"] = list(map(gap, [lm] * len(PROMPTS), PROMPTS, step["texts"], right["texts"]))
        found["steps"].append(step)
    found["speed"] = sampling_speed(lm, asked["size"])
    found["same_engine"] = lm.lm is engine
    if backend == "vllm":
        found["graphs"] = engine.model.collective_rpc(graphs_of)
    return found | {"host": host_peak()}


STEPS = {"plain": plain, "merged": merged}


def main() -> int:
    told, answer = map(Path, sys.argv[1:])
    asked = json.loads(told.read_text())
    answer.write_text(json.dumps(STEPS[asked["kind"]](asked)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
