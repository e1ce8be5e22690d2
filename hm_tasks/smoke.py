"""Does this installation work? A tiny pair, the main command on it, and a look at what comes out.

    python -m hm_tasks.smoke

Makes two Llamas of some kilobytes with random weights in a temporary folder, merges them at alpha 0.7 on
`hf`, and has the harness sample and score two programs for each of two problems of `demo_passk`. Needs no
network, no GPU and no cache, takes less than a minute, and leaves nothing behind. Prints one line. Exit code:
0 all is as it should be, 1 it is not, with the end of the harness's log.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hm_metrics.logs.results import TaskRun, find_runs
from hm_metrics.logs.samples import LogError, read_log
from hm_models.commands.command_line import CommandLine

ALPHA = 0.7
TASK, PROBLEMS, SAMPLES = "demo_passk", 2, 2
TAIL = 15  # lines of a log that are shown
# One token a word; a chat template, as the merge is asked in chat turns.
TOKENS = ("<s>", "</s>", "<unk>", "<user>", "<assistant>", *(f"w{n}" for n in range(59)))
TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


class SmokeError(Exception):
    """Something is not as it should be; the message says what."""


def run(asked: argparse.Namespace) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hm-smoke-") as folder:
        try:
            words = check(Path(folder))
        except SmokeError as error:
            print(f"FAILED: {error}")
            return 1
    if not asked.quiet:
        print(f"ok: {words}, in {time.monotonic() - began:.0f} s")
    return 0


def check(folder: Path) -> str:
    """What was found right. Raises SmokeError."""
    pair = {side: folder / side for side in ("base", "instruct")}
    for seed, side in enumerate(pair.values()):
        make_checkpoint(side, seed)
    out = folder / "out"
    ran = subprocess.run(
        [sys.executable, "-m", "lm_eval", *command(pair, out)],
        env=os.environ | {"HM_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf8",
        errors="replace",
    )
    if ran.returncode:
        tail = "\n".join(ran.stdout.split("\n")[-TAIL:])
        raise SmokeError(
            f"lm_eval ended with exit code {ran.returncode}. The end of what it said:\n{tail}"
        )
    found = logged(out)
    wanted = fingerprint(pair)
    if found.run["merge"]["fingerprint"] != wanted:
        raise SmokeError(f"the results are of another merge than {wanted}.")
    expected = {"n_samples": SAMPLES, "unscored": 0, "generated": PROBLEMS * SAMPLES}
    for name, value in expected.items():
        number, _ = found.values.get(f"{name},scored", (None, None))
        if number != value:
            raise SmokeError(f"{name} is {number}, expected {value}.")
    rate, _ = found.values.get("pass@1,scored", (None, None))
    if rate is None or not 0 <= rate <= 1:
        raise SmokeError(f"pass@1 is {rate}.")
    names = ", ".join(f"{name} {version(name)}" for name in ("hindsight-merging", "lm-eval"))
    return f"{names}: {PROBLEMS * SAMPLES} programs of a merge at alpha {ALPHA} sampled and scored"


def make_checkpoint(folder: Path, seed: int) -> None:
    """A Llama of random weights with a tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2}
    ids: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    room: dict[str, Any] = {"vocab_size": len(TOKENS), "max_position_embeddings": 1024}
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**shape, **heads, **ids, **room, dtype=torch.bfloat16))
    model.bfloat16().save_pretrained(folder)
    words = Tokenizer(models.WordLevel({t: i for i, t in enumerate(TOKENS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special: dict[str, Any] = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "unk_token": "<unk>",
    }
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, chat_template=TEMPLATE, **special)
    tokenizer.save_pretrained(folder)


def command(pair: dict[str, Path], out: Path) -> list[str]:
    """The arguments of lm_eval."""
    model = {side: str(folder) for side, folder in pair.items()} | {"alpha": ALPHA, "backend": "hf"}
    return [
        *("run", "--model", "hm-merged", "--model_args", json.dumps(model), "--tasks", TASK),
        *("--limit", str(PROBLEMS), "--metadata", json.dumps({"n_samples": SAMPLES, "k": [1, 2]})),
        *("--gen_kwargs", "max_gen_toks=16", "--device", "cpu", "--batch_size", "4"),
        # What is run are a random model's words; where no sandbox holds, the task asks for it.
        *("--log_samples", "--output_path", str(out), "--confirm_run_unsafe_code"),
    ]


def logged(out: Path) -> TaskRun:
    """The run, with a whole log of samples. Raises SmokeError."""
    found = find_runs([out])
    if found.problems or len(found.runs) != 1:
        raise SmokeError(f"lm_eval wrote {len(found.runs)} results. {' '.join(found.problems)}")
    (run,) = found.runs
    assert run.samples is not None  # else it is a problem
    try:
        answers = [len(line.texts) for line in read_log(run.samples)]
    except LogError as error:
        raise SmokeError(str(error)) from None
    if answers != [SAMPLES] * PROBLEMS:
        raise SmokeError(f"the log of samples has other than {PROBLEMS} x {SAMPLES} answers.")
    return run


def fingerprint(pair: dict[str, Path]) -> str:
    """Of the merge that was asked for."""
    from hm_models import MergeRecipe

    return MergeRecipe(str(pair["base"]), str(pair["instruct"]), ALPHA).fingerprint()


def main() -> int:
    return CommandLine("python -m hm_tasks.smoke", __doc__).main(run)


if __name__ == "__main__":
    sys.exit(main())
