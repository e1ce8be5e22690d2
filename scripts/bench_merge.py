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
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ALPHAS = (0.3, 0.7, 0.5, 0.9)
KERNEL_ROUNDS = 5
ADAPTER_ROUNDS = 4
TAKE_HOME_ROUNDS = 2
# Seconds after which a virtual machine has given freed memory back to its host: whoever writes at once
# would find it cheaper than who starts slowly.
SETTLED = 8
SHAPE = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}


def make_pair(out: Path, layers: int) -> dict[str, str]:
    """Write `base` and `instruct` below `out` unless they are there; their names and folders."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folders = {side: out / f"pair-{layers}" / side for side in ("base", "instruct")}
    for seed, folder in enumerate(folders.values()):
        if (folder / "config.json").is_file():
            continue
        shape = SHAPE | {"num_hidden_layers": layers, "bos_token_id": 0, "eos_token_id": 1}
        config = LlamaConfig(**shape, dtype=torch.bfloat16)
        with torch.device("meta"):
            model = LlamaForCausalLM(config).to(torch.bfloat16)
        generator = torch.Generator().manual_seed(seed)
        weights = {
            name: torch.randn(weight.shape, generator=generator).mul_(0.02).to(torch.bfloat16)
            for name, weight in model.state_dict().items()
        }
        model.save_pretrained(folder, state_dict=weights, max_shard_size="400MB")
        words = {f"w{row}": row for row in range(SHAPE["vocab_size"])}
        PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")),
            bos_token="w0",
            eos_token="w1",
        ).save_pretrained(folder)
    return {side: str(folder) for side, folder in folders.items()}


def warm(*folders: str) -> None:
    """Read every weight file once, so that the disk is in no measurement."""
    for folder in folders:
        for file in Path(folder).glob("*.safetensors"):
            with file.open("rb", buffering=0) as stream:
                while stream.read(1 << 24):
                    pass


def seconds(action, rounds: int = 1) -> float:
    """The shortest of several runs."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        found.append(time.perf_counter() - began)
    return min(found)


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
    import yaml

    models = [
        {"model": pair["base"], "parameters": {"weight": 0.3}},
        {"model": pair["instruct"], "parameters": {"weight": 0.7}},
    ]
    content = {
        "models": models,
        "merge_method": "linear",
        "dtype": "float32",
        "out_dtype": "bfloat16",
    }
    folder = Path(pair["base"]).parent / "by_mergekit"
    shutil.rmtree(folder, ignore_errors=True)
    config = folder.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(content))
    began = time.perf_counter()
    program = Path(sys.executable).with_name("mergekit-yaml")
    subprocess.run([program, str(config), str(folder)], check=True, stdout=subprocess.DEVNULL)
    merged = time.perf_counter() - began
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


def dropped(*folders: Path) -> None:
    """Let the page cache forget the weight files, which only lie on the disk then."""
    for folder in folders:
        for file in folder.glob("*.safetensors"):
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(command: list[object]) -> dict[str, float]:
    """Wall seconds of a program, and the most memory that it or one before it held, in GB."""
    began = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {"seconds": wall, "peak_GB": peak / 1e9}


def take_home(pair: dict[str, str]) -> dict:
    """hm-merge to a folder, against `cp` and `sync` of one side and of both, and mergekit-yaml.

    Whole programs, from their start to their end; `cp` with a `sync` of what it wrote, as hm-merge does.
    With the inputs in the page cache, and with those on the disk alone. Each begins where the folder of
    the one before was removed, so that all find the same memory free.
    """
    import yaml

    base, instruct = (Path(folder) for folder in pair.values())
    out = base.parent / "taken_home"
    script = [sys.executable, "-m", "hm_metrics.commands.merge", "--quiet", "--alpha", 0.7]
    config = base.parent / "taken_home.yaml"
    models = [
        {"model": str(folder), "parameters": {"weight": weight}}
        for folder, weight in ((base, 0.3), (instruct, 0.7))
    ]
    dtypes = {"dtype": "float32", "out_dtype": "bfloat16"}
    config.write_text(yaml.safe_dump({"models": models, "merge_method": "linear"} | dtypes))
    copied = 'mkdir "$1" && cp -r "${@:2}" "$1" && find "$1" -type f -exec sync {} +'
    mergekit = Path(sys.executable).with_name("mergekit-yaml")
    commands: dict[str, list[object]] = {  # in this order, as ru_maxrss only grows
        "copy_of_one": ["bash", "-c", copied, "cp", out, instruct],
        "copy_of_both": ["bash", "-c", copied, "cp", out, base, instruct],
        "hm_merge": [*script, "--base", base, "--instruct", instruct, "--output_path", out],
        "mergekit": [mergekit, config, out],
    }
    found: dict[str, float] = {}
    for name, command in commands.items():
        for cache in ("warm", "cold"):
            times = []
            for _ in range(TAKE_HOME_ROUNDS):
                shutil.rmtree(out, ignore_errors=True)
                warm(*pair.values())
                if cache == "cold":
                    dropped(base, instruct)
                time.sleep(SETTLED)
                measured = timed(command)
                times.append(measured["seconds"])
            found[f"{name}_{cache}_seconds"] = min(times)
        found[f"{name}_peak_GB"] = measured["peak_GB"]
    shutil.rmtree(out)
    for cache in ("warm", "cold"):
        ours = found[f"hm_merge_{cache}_seconds"]
        for name in ("copy_of_one", "copy_of_both", "mergekit"):
            found[f"hm_merge_over_{name}_{cache}"] = ours / found[f"{name}_{cache}_seconds"]
    return found


def adapter(pair: dict[str, str]) -> dict:
    """The 135M demo pair with its instruct model as a checkpoint, and as the adapter that it was made of."""
    from hm_models.merged import HindsightMerged

    scripts, demo = Path(__file__).parent, Path(pair["base"]).parents[1] / "demo"
    make = [sys.executable, scripts / "make_demo_pair.py", "--out", demo, "--quiet"]
    subprocess.run(make, check=True)
    sides = {"whole": demo / "instruct", "adapter": scripts / "demo_pair" / "adapter"}
    times: dict[str, list[float]] = {}
    for _ in range(
        ADAPTER_ROUNDS
    ):  # in turns, as a machine that others use is never twice the same
        for name, side in sides.items():
            for resident in (False, True):
                asked = {"backend": "hf", "keep_resident": resident, "dtype": "bfloat16"}
                kind = f"{name}_{'resident' if resident else 'files'}"
                began = time.perf_counter()
                lm = HindsightMerged(
                    base=str(demo / "base"), instruct=str(side), alpha=0.7, **asked
                )
                assert lm.lm is not None
                times.setdefault(f"{kind}_load_seconds", []).append(time.perf_counter() - began)
                changes = [seconds(lambda a=a, lm=lm: lm.set_alpha(a)) for a in ALPHAS]
                times.setdefault(f"{kind}_change_seconds", []).extend(changes)
                del lm
    found = {name: min(every) for name, every in times.items()}
    for name, value in list(found.items()):
        if name.startswith("adapter"):
            found[f"{name.removesuffix('_seconds')}_over_whole"] = (
                value / found[name.replace("adapter", "whole")]
            )
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
    pair = make_pair(arguments.out, arguments.layers)
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
