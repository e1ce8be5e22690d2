"""Kill a sampling run with -9 at random moments, again and again; what comes out must be the same.

    python scripts/check_resume.py --base PAIR/base --instruct PAIR/instruct --backend vllm --kills 10

Each run samples n answers to every prompt in float32 into one store and is killed once some more of
them are kept. The last one runs to its end. Its texts must equal those of a run that nobody disturbed,
and no run may generate what one before it had kept. Prints a line a run; exit code 0 if all that held.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPTS = ("def add(a, b):", "w1 w2 w3", "The capital of France is", "w7", "import os", "w40 w41")
SAMPLED = {"until": [], "do_sample": True, "temperature": 1.0, "top_p": 0.95}
TIMEOUT = 900  # seconds for one run


def sample(arguments: dict, store: str, n: int, tokens: int) -> None:
    """One run, in a process of its own: prints what was known, then what came out."""
    from lm_eval.api.instance import Instance

    from hm_models.merged import HindsightMerged

    lm = HindsightMerged(**arguments)
    lm.keep_samples_in(Path(store))
    gen_kwargs = SAMPLED | {"max_gen_toks": tokens}
    requests = [
        Instance(
            **dict(request_type="generate_until", doc={}, arguments=(prompt, gen_kwargs), idx=0),
            **dict(task_name="resume", doc_id=doc, metadata=("resume", doc, n)),
        )
        for doc, prompt in enumerate(PROMPTS)
    ]
    asked = [request for request in requests for _ in range(n)]
    print("KNOWN", lm.known(asked), flush=True)
    print("TEXTS", json.dumps(lm.generate_until(asked, disable_tqdm=True)), flush=True)


def kept(store: Path) -> int:
    """How many answers the file holds now."""
    if not store.exists():
        return 0
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0
    finally:
        connection.close()


class Run:
    """A run that has been started."""

    def __init__(self, options: argparse.Namespace, store: Path) -> None:
        arguments = {"base": options.base, "instruct": options.instruct, "alpha": options.alpha}
        arguments |= {"backend": options.backend, "dtype": "float32", "prompt_style": "completion"}
        arguments |= json.loads(options.model_args)
        command = [sys.executable, __file__, "--run", json.dumps(arguments), "--store", str(store)]
        command += ["--n", str(options.n), "--tokens", str(options.tokens)]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, it lives as long as the run
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._errors, text=True, start_new_session=True
        )
        self._store = store

    def kill_after(self, more: int) -> bool:
        """Kill it once `more` answers are kept; False if it came to its end before."""
        goal, deadline = kept(self._store) + more, time.monotonic() + TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            if kept(self._store) >= goal:
                os.killpg(self._process.pid, signal.SIGKILL)  # vLLM's own processes with it
                self._process.wait()
                return True
            time.sleep(0.005)
        return False

    def said(self) -> dict:
        """What it printed, by its first word."""
        out, _ = self._process.communicate(timeout=TIMEOUT)
        lines = [line.split(" ", 1) for line in out.splitlines()]
        found = {word: json.loads(rest[0]) for word, *rest in lines if word in ("KNOWN", "TEXTS")}
        if "KNOWN" not in found:
            self._errors.seek(0)
            sys.exit(f"the run failed:\n{self._errors.read()[-3000:]}")
        return found


def campaign(options: argparse.Namespace, folder: Path) -> bool:
    dice = random.Random(options.dice)
    total, held = len(PROMPTS) * options.n, True
    undisturbed = Run(options, folder / "undisturbed.sqlite").said()
    print(f"undisturbed: {total} samples", flush=True)
    store = folder / "killed.sqlite"
    for number in range(1, options.kills + 1):
        before = kept(store)
        run = Run(options, store)
        share = (total - before) // (options.kills - number + 2)  # some are left for the last run
        killed = run.kill_after(dice.randint(1, max(1, share)))
        known, now = run.said()["KNOWN"], kept(store)
        held &= killed and known == before
        print(f"run {number}: {known} of {before} known, killed with {now} kept", flush=True)
    before = kept(store)
    last = Run(options, store).said()
    same = last["TEXTS"] == undisturbed["TEXTS"]
    differing = sum(a != b for a, b in zip(last["TEXTS"], undisturbed["TEXTS"], strict=True))
    held &= same and last["KNOWN"] == before and kept(store) == total
    print(f"last run: {last['KNOWN']} of {before} known, {kept(store)} of {total} kept at its end")
    print(f"texts that differ from the undisturbed run's: {differing}")
    return held


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", help="folder of the base")
    parser.add_argument("--instruct", help="folder of the instruct model")
    parser.add_argument("--alpha", type=float, default=0.7)
    parser.add_argument("--backend", default="hf", help="hf or vllm (hf)")
    parser.add_argument("--model_args", default="{}", help="more of them, as JSON")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--n", type=int, default=11, help="samples a prompt (11)")
    parser.add_argument("--tokens", type=int, default=48, help="new tokens at most (48)")
    parser.add_argument("--dice", type=int, default=0, help="seed of the moments (0)")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        sample(json.loads(options.run), options.store, options.n, options.tokens)
        return 0
    if not options.base or not options.instruct:
        parser.error("--base and --instruct are needed")
    with tempfile.TemporaryDirectory() as folder:
        return 0 if campaign(options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
