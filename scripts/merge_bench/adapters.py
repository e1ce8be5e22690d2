"""What it costs that a side is an adapter: loads and changes of alpha, beside the checkpoint that it makes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from measuring import seconds

ALPHAS = (0.3, 0.7, 0.5, 0.9)
ROUNDS = 4


def adapter(pair: dict[str, str]) -> dict:
    """The 135M demo pair with its instruct model as a checkpoint, and as the adapter that it was made of."""
    from hm_models.merged import HindsightMerged

    scripts, demo = Path(__file__).parents[1], Path(pair["base"]).parents[1] / "demo"
    make = [sys.executable, scripts / "make_demo_pair.py", "--out", demo, "--quiet"]
    subprocess.run(make, check=True)
    sides = {"whole": demo / "instruct", "adapter": scripts / "demo_pair" / "adapter"}
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):  # in turns, as a machine that others use is never twice the same
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
