"""How fast a merge is, side by side with what else could be done, in one run on one machine.

    python scripts/bench_merge.py --out runs/bench_merge            # everything, about 6 minutes
    python scripts/bench_merge.py --out runs/bench_merge kernel set_alpha_hf
    python scripts/bench_merge.py --out runs/bench_merge --layers 15 take_home   # a pair of 4.2 GB

Makes a seeded pair of bfloat16 Llamas below --out, measures each case in a process of its
own with the page cache warm, appends every result to results.jsonl as it comes, and prints the table.
Only ratios of one run compare: wall times of a shared machine swing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from gpu_check.pair import SIZES, make_pair, merge_command
from measuring import seconds
from merge_bench.adapters import ALPHAS, adapter
from merge_bench.whole_programs import take_home, warm

KERNEL_ROUNDS = 5
SHAPE = SIZES["full"] | {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
}


def copy_rate() -> float:
    """Bytes read and written a second by torch's copy of one large tensor to another."""
    import torch

    source = torch.ones(1 << 28, dtype=torch.bfloat16)
    target = torch.zeros_like(source)
    return 2 * source.nbytes / seconds(lambda: target.copy_(source), KERNEL_ROUNDS)


def kernel(pair: dict[str, str]) -> dict:
    """The merge of tensors that lie in memory, against a copy, mergekit and torch."""
    import torch
    from mergekit.merge_methods import merge_tensors

    from hm_models.merge.kernel import linear_merge

    generator = torch.Generator().manual_seed(0)
    base, instruct = (
        torch.randn(1 << 27, generator=generator).to(torch.bfloat16) for _ in range(2)
    )
    out = torch.zeros_like(base)
    moved = base.nbytes + instruct.nbytes + out.nbytes

    def mergekit() -> None:
        merge_tensors(
            [base, instruct],
            "linear",
            parameters={"weight": [0.3, 0.7]},
            dtype=torch.float32,
            out_dtype=torch.bfloat16,
        )

    linear_merge((base[:8], instruct[:8]), out[:8], (0.3, 0.7))  # compile
    rate = copy_rate()
    cases = {
        "ours": lambda: linear_merge((base, instruct), out, (0.3, 0.7)),
        "torch.lerp (other bits)": lambda: torch.lerp(base, instruct, 0.7, out=out),
        "torch in float32": lambda: out.copy_(
            base.float().mul_(0.3).add_(instruct.float(), alpha=0.7)
        ),
        "mergekit merge_tensors": mergekit,
    }
    found = {"copy_GB_s": rate / 1e9}
    for name, action in cases.items():
        found[f"{name}, share of the copy rate"] = moved / seconds(action, 3) / rate
    return found


def engine(folder_or_pair: dict[str, str] | str, **arguments):
    """A vLLM engine behind the harness's class, ready to generate; a CPU one is kept small."""
    from vllm.platforms import current_platform

    from hm_models.merged import HindsightMerged

    shared = {"max_model_len": 512, "enforce_eager": True, **arguments}
    if current_platform.is_cpu():
        shared["kv_cache_memory_bytes"] = 1 << 28
    if isinstance(folder_or_pair, str):
        from lm_eval.models.vllm_causallms import VLLM

        return VLLM(pretrained=folder_or_pair, **shared)
    lm = HindsightMerged(**folder_or_pair, alpha=0.7, backend="vllm", **shared)
    assert lm.lm is not None  # load now
    return lm


def footprint(pid: int) -> dict[str, float]:
    """Peak resident memory of the largest process, and bytes written by all of them, in GB."""
    import psutil

    peaks, written = [], 0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        status = Path(f"/proc/{process.pid}/status").read_text()
        if "VmHWM:" in status:  # not so of one that has ended
            peaks.append(int(status.split("VmHWM:")[1].split()[0]) * 1024)
            written += process.io_counters().write_bytes
    return {"peak_GB": max(peaks) / 1e9, "written_GB": written / 1e9}


def seconds_of_weights(log: Path) -> float:
    """What vLLM itself says about the part of its start that reads and merges."""
    return max(map(float, re.findall(r"Loading weights took ([0-9.]+) seconds", log.read_text())))


def started(folder_or_pair: dict[str, str] | str) -> dict:
    """Start an engine and say how long it took and what it holds."""
    began = time.perf_counter()
    lm = engine(folder_or_pair)
    found = {"seconds": time.perf_counter() - began} | footprint(os.getpid())
    del lm  # not before: an engine that nobody holds has no footprint
    return found


def load_plain(pair: dict[str, str]) -> dict:
    """Start vLLM on the instruct checkpoint alone."""
    return started(pair["instruct"])


def load_merged(pair: dict[str, str]) -> dict:
    """Start vLLM on the streamed merge."""
    return started(pair)


def load_mergekit(pair: dict[str, str]) -> dict:
    """mergekit writes the merge, vLLM reads it."""
    out = Path(pair["base"]).parent
    folder = out / "0.7"
    shutil.rmtree(folder, ignore_errors=True)
    command = merge_command(out, 0.7)
    merged = seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
    found = started(str(folder)) | {"mergekit_seconds": merged}
    found["seconds"] += merged
    found["written_GB"] = sum(f.stat().st_size for f in folder.iterdir()) / 1e9
    shutil.rmtree(folder)
    return found


def _set_alpha(lm) -> dict:
    times = []
    for alpha in ALPHAS:
        times.append(seconds(lambda alpha=alpha: lm.set_alpha(alpha)))
    return {"first_seconds": times[0], "seconds": min(times)}


def set_alpha_vllm(pair: dict[str, str]) -> dict:
    """Change alpha in a running vLLM engine, reading the files."""
    return _set_alpha(engine(pair))


def set_alpha_vllm_resident(pair: dict[str, str]) -> dict:
    """The same from memory, and vLLM's own reload of the same tensors without any merge."""
    lm = engine(pair, keep_resident=True)
    found = _set_alpha(lm)
    found["unmerged_seconds"] = min(
        seconds(lambda: lm.set_alpha(1.0)), seconds(lambda: lm.set_alpha(1))
    )
    return found


def set_alpha_hf(pair: dict[str, str]) -> dict:
    """Change alpha in a transformers model, from files and from memory, against a copy of the bytes."""
    from hm_models.merged import HindsightMerged

    found = {}
    for resident in (False, True):
        lm = HindsightMerged(**pair, alpha=0.7, backend="hf", keep_resident=resident)
        assert lm.lm is not None
        name = "resident" if resident else "files"
        found |= {f"{name}_{key}": value for key, value in _set_alpha(lm).items()}
        size = sum(parameter.nbytes for parameter in lm.lm.model.parameters())
        del lm
    found["copy_limit_seconds"] = 3 * size / copy_rate()
    found["resident_over_copy_limit"] = found["resident_seconds"] / found["copy_limit_seconds"]
    return found


def log_of(out: Path, case: str) -> Path:
    return out / f"{case}.log"


CASES = {
    case.__name__: case
    for case in (
        kernel,
        set_alpha_hf,
        load_plain,
        load_merged,
        load_mergekit,
        set_alpha_vllm,
        set_alpha_vllm_resident,
        take_home,
        adapter,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the pair and results")
    parser.add_argument(
        "--layers",
        type=int,
        default=8,
        help="size of the pair: 8 (default) are 1.2 GB a side, 15 2.1, 32 4.2",
    )
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}")
    arguments = parser.parse_args()
    if unknown := [case for case in arguments.cases if case not in CASES]:
        parser.error(f"unknown case {unknown[0]}; known: {', '.join(CASES)}")
    os.environ["HF_HUB_OFFLINE"] = "1"
    folder = arguments.out / f"pair-{arguments.layers}"
    if not (folder / "instruct" / "tokenizer.json").is_file():  # written last
        make_pair(folder, SHAPE | {"num_hidden_layers": arguments.layers})
    pair = {side: str(folder / side) for side in ("base", "instruct")}
    if arguments.inner:
        found = CASES[arguments.cases[0]](pair)
        sys.stdout.flush()
        if arguments.cases[0].startswith("load_"):
            found["weights_seconds"] = seconds_of_weights(log_of(arguments.out, arguments.cases[0]))
        with (arguments.out / "results.jsonl").open("a") as results:
            row = {"case": arguments.cases[0], "layers": arguments.layers} | found
            print(json.dumps(row), file=results)
        return
    for case in arguments.cases:
        warm(*pair.values())
        shared = ["--out", str(arguments.out), "--layers", str(arguments.layers)]
        command = [sys.executable, __file__, *shared, "--inner", case]
        with log_of(arguments.out, case).open("w") as log:
            done = subprocess.run(command, stdout=log, stderr=log)
        if done.returncode:
            print(f"{case}: failed, see {log.name}", file=sys.stderr)
            continue
        print((arguments.out / "results.jsonl").read_text().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
