"""What tests of two models in one share: the pair as transformers loads it, prompts, greedy texts."""

import torch
from transformers import AutoModelForCausalLM

PROMPTS = ("w1 w2 w3", "w40 w41", "w7 w7 w7 w8 w9")
STOP = 1
NEW = 12


def load(folder, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()


def encode(tokenizer, *prompts):
    return dict(tokenizer(list(prompts), padding=True, return_tensors="pt"))


def until_stop(row):
    return row[: row.index(STOP) + 1] if STOP in row else row


def greedy(model, inputs, **arguments):
    """The new tokens of each row, up to the first stop token."""
    texts = model.generate(**inputs, max_new_tokens=NEW, do_sample=False, **arguments)
    return [until_stop(row) for row in texts[:, inputs["input_ids"].shape[1] :].tolist()]


def input_lengths(model):
    """A list that fills with the number of tokens of each forward pass."""
    lengths: list[int] = []
    model.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    return lengths
