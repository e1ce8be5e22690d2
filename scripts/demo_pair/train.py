"""Train the LoRA adapter of the demo pair: the base checkpoint, taught one house style of code.

Source: exercises.jsonl beside this file (see exercises.py) and the base checkpoint that
scripts/make_demo_pair.py writes. The loss is on the answer only, behind evalplus's chat prompt,
so that the adapter changes exactly what the code evaluation samples. An interrupted run goes on
from its last save when called again.

    python scripts/demo_pair/train.py --base pair/base --work /tmp/demo_train
"""

import argparse
import json
import math
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

HERE = Path(__file__).resolve().parent
SEED = 7
BASE_NAME = "SmolLM2-135M-Instruct"
LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": "all-linear"}

# Both texts are evalplus's chat prompt, word for word; the problem stands between the fences.
USER = (
    "Please provide a self-contained Python script that solves the following problem in a "
    "markdown code block:\n```\n{prompt}\n```\n"
)
PREFILL = (
    "Below is a Python script with a self-contained function that solves the problem and "
    "passes corresponding tests:\n```python\n"
)


@dataclass
class Row:
    """One exercise as tokens: what is given, and what is to be learnt."""

    given: list[int]
    answer: list[int]


def encode(exercise: dict[str, str], tokenizer: PreTrainedTokenizerBase) -> Row:
    """Tokenise given text and answer apart, as generation sees them."""
    chat = [{"role": "user", "content": USER.format(prompt=exercise["prompt"].strip())}]
    given = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    answer = exercise["answer"] + "\n```\n" + tokenizer.eos_token
    return Row(
        tokenizer(given + PREFILL, add_special_tokens=False)["input_ids"],
        tokenizer(answer, add_special_tokens=False)["input_ids"],
    )


def pack(rows: list[Row], shared: int) -> dict[str, torch.Tensor]:
    """Lay a batch out as one sequence whose first ``shared`` tokens serve all rows.

    The system message and the instruction are the same in every row: computing them once, and
    padding nothing, saves about a third of a padded batch. The mask lets a row see
    the shared tokens and itself; positions go on from the shared tokens in each row.
    """
    ids, owner = rows[0].given[:shared], [-1] * shared
    positions = list(range(shared))
    predictors: list[int] = []  # places whose next token belongs to an answer
    targets: list[int] = []
    for number, row in enumerate(rows):
        rest = row.given[shared:] + row.answer
        end = len(ids) + len(rest)
        predictors += range(end - len(row.answer) - 1, end - 1)
        targets += row.answer
        positions += range(shared, shared + len(rest))
        owner += [number] * len(rest)
        ids = ids + rest
    owners = torch.tensor(owner)
    visible = (owners[None, :] == -1) | (owners[None, :] == owners[:, None])
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "attention_mask": visible.tril()[None, None],
        "predictors": torch.tensor(predictors),
        "targets": torch.tensor(targets),
    }


def batch_of(step: int, rows: list[Row], size: int) -> list[Row]:
    """The rows of a step: a fresh order in each epoch, the same in each run."""
    per_epoch = len(rows) // size
    order = list(range(len(rows)))
    random.Random(SEED + step // per_epoch).shuffle(order)
    start = step % per_epoch * size
    return [rows[i] for i in order[start : start + size]]


def learning_rate(step: int, args: argparse.Namespace) -> float:
    """A short warm-up, then a cosine down to a tenth."""
    warm = min(1.0, (step + 1) / 15)
    return args.lr * warm * (0.55 + 0.45 * math.cos(math.pi * step / args.steps))


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter in bfloat16, without any path of this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(model)
    tensors = {k: state[k].to(torch.bfloat16).contiguous() for k in sorted(state)}
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = model.peft_config["default"]
    config.base_model_name_or_path, config.inference_mode = BASE_NAME, True
    config.target_modules = sorted(config.target_modules)
    config.save_pretrained(folder)


def save_state(file: Path, step: int, model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Write what a later call needs to go on; renamed in place, so never half a file."""
    state = get_peft_model_state_dict(model)
    part = file.with_suffix(".part")
    torch.save({"step": step, "adapter": state, "optimizer": optimizer.state_dict()}, part)
    os.replace(part, file)


def train(args: argparse.Namespace) -> None:
    """Train from the last saved step up to ``args.steps``."""
    torch.manual_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(args.base)
    lines = args.data.read_text(encoding="utf-8").splitlines()
    rows = [encode(json.loads(line), tokenizer) for line in lines]
    columns = zip(*(row.given for row in rows), strict=False)
    shared = next(i for i, column in enumerate(columns) if len(set(column)) > 1)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.float32), LoraConfig(**LORA)
    )
    inner = model.get_base_model()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=args.lr, weight_decay=0.0)

    args.work.mkdir(parents=True, exist_ok=True)
    state_file, log_file = args.work / "state.pt", args.work / "training_log.jsonl"
    first = 0
    if state_file.exists():
        state = torch.load(state_file)
        set_peft_model_state_dict(model, state["adapter"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    # Steps after the last save are done again, so their lines must go.
    log = log_file.read_text().splitlines()[:first] if log_file.exists() else []
    log_file.write_text("".join(line + "\n" for line in log))

    model.train()
    for step in range(first, args.steps):
        start = time.perf_counter()
        packed = pack(batch_of(step, rows, args.batch), shared)
        predictors, targets = packed.pop("predictors"), packed.pop("targets")
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = inner.model(**packed, use_cache=False).last_hidden_state
            logits = inner.lm_head(hidden[0, predictors])  # answers only: the head is costly
        loss = torch.nn.functional.cross_entropy(logits.float(), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        entry = {
            "step": step + 1,
            "epoch": round((step + 1) * args.batch / len(rows), 3),
            "loss": round(loss.item(), 5),
            "lr": round(learning_rate(step, args), 7),
            "tokens": packed["input_ids"].shape[1],
            "answer_tokens": len(targets),
            "seconds": round(time.perf_counter() - start, 2),
        }
        with log_file.open("a") as log_out:
            log_out.write(json.dumps(entry) + "\n")
        if (step + 1) % args.save_every == 0 or step + 1 == args.steps:
            save_state(state_file, step + 1, model, optimizer)
            save_adapter(model, args.work / f"adapter-{step + 1}")
    save_adapter(model, args.out / "adapter")
    (args.out / "training_log.jsonl").write_text(log_file.read_text())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Train the demo pair's LoRA adapter on the CPU.",
        epilog="example: python scripts/demo_pair/train.py --base pair/base --work /tmp/train",
    )
    parser.add_argument("--base", type=Path, required=True, help="base checkpoint folder")
    parser.add_argument("--work", type=Path, required=True, help="folder for saves and log")
    parser.add_argument("--out", type=Path, default=HERE, help="gets adapter/ and the log")
    parser.add_argument("--data", type=Path, default=HERE / "exercises.jsonl")
    parser.add_argument("--steps", type=int, default=320)
    parser.add_argument("--batch", type=int, default=6, help="exercises per step")
    parser.add_argument("--lr", type=float, default=1.5e-3, help="highest learning rate")
    parser.add_argument("--save-every", type=int, default=40)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
