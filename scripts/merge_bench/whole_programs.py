"""`hm-merge` beside `cp`, `sync` and mergekit-yaml: whole programs, from their start to their end."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from gpu_check.pair import merge_command

ROUNDS = 2
# Seconds after which a virtual machine has given freed memory back to its host: whoever writes at once
# would find it cheaper than who starts slowly.
SETTLED = 8


def warm(*folders: str) -> None:
    """Read every weight file once, so that the disk is in no measurement."""
    for folder in folders:
        for file in Path(folder).glob("*.safetensors"):
            with file.open("rb", buffering=0) as stream:
                while stream.read(1 << 24):
                    pass


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
    base, instruct = (Path(folder) for folder in pair.values())
    out = base.parent / "0.7"  # where `merge_command` writes
    script = [sys.executable, "-m", "hm_metrics.commands.merge", "--quiet", "--alpha", 0.7]
    copied = 'mkdir "$1" && cp -r "${@:2}" "$1" && find "$1" -type f -exec sync {} +'
    commands: dict[str, list[object]] = {  # in this order, as ru_maxrss only grows
        "copy_of_one": ["bash", "-c", copied, "cp", out, instruct],
        "copy_of_both": ["bash", "-c", copied, "cp", out, base, instruct],
        "hm_merge": [*script, "--base", base, "--instruct", instruct, "--output_path", out],
        "mergekit": [*merge_command(base.parent, 0.7)],
    }
    found: dict[str, float] = {}
    for name, command in commands.items():
        for cache in ("warm", "cold"):
            times = []
            for _ in range(ROUNDS):
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
