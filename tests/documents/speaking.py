"""Checkpoints of some kilobytes that answer every prompt with one of a few given texts, and end.

    speaking_checkpoint(folder, seed=1, said={"The answer is 48.": 2.0, "I cannot help with that.": 0.5})

Each text is one token, its number the logit. Weights alone say so: a merge of two such models has the logits
between theirs, and samples are drawn from them. So whatever reads answers finds right ones among them,
which noise never gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from tests.models.tiny import TOKENS, edit_config, edit_tensors, tiny_checkpoint

WIDTH = 32
END = TOKENS.index("</s>")
NEVER = -30.0

RIGHT = """\
def larger_number(a, b):
    return a if a > b else b

def first_and_last(items):
    return [items[0], items[-1]]

def similar_elements(one, other):
    return tuple(set(one) & set(other))

def is_not_prime(n):
    return n == 1 or any(n % d == 0 for d in range(2, int(n**0.5) + 1))
"""  # of the first two problems of demo_passk, and of mbppplus_passk
RIGHT_AGAIN = """\
def larger_number(a, b):
    return max(a, b)

def first_and_last(items):
    first, *rest = items
    return [first, rest[-1] if rest else first]

def similar_elements(one, other):
    return tuple({item for item in one if item in other})

def is_not_prime(n):
    divisor = 2
    while divisor * divisor <= n:
        if n % divisor == 0:
            return True
        divisor += 1
    return n == 1
"""
WRONG = """\
def larger_number(a, b):
    return a

def first_and_last(items):
    return items

def similar_elements(one, other):
    return one

def is_not_prime(n):
    return False
"""
SUM = "4 times 12 is 48. The answer is 48."  # of the first row of GSM8K in any_passk/ten_tasks.py
NAME = "Call it Bob."
REFUSAL = "I cannot help with that."
SAID = {
    "base": {RIGHT: 0.8, RIGHT_AGAIN: 0.8, WRONG: 0.0, SUM: 0.8, NAME: 0.0, REFUSAL: 0.0},
    "instruct": {RIGHT: 1.5, RIGHT_AGAIN: 0.6, WRONG: 0.0, SUM: 0.9, NAME: -0.4, REFUSAL: 0.3},
}


def speaking_pair(folder: Path) -> None:
    """Write `base` and `instruct`."""
    for seed, (side, said) in enumerate(SAID.items()):
        speaking_checkpoint(folder / side, seed, said)


def speaking_checkpoint(folder: Path, seed: int, said: Mapping[str, float]) -> Path:
    """Write the checkpoint and return its folder.

    Args:
        said: the logit of each text behind any prompt.
    """
    tiny_checkpoint(folder, seed, tokens=(*TOKENS, *said), hidden_size=WIDTH)
    edit_config(folder, max_position_embeddings=4096)

    def speak(tensors: dict[str, torch.Tensor]) -> None:
        for name, weight in tensors.items():
            if name.endswith(("o_proj.weight", "down_proj.weight")):  # layers add nothing
                weight.zero_()
            elif "norm" in name:
                weight.fill_(1)
        embedding, head = tensors["model.embed_tokens.weight"], tensors["lm_head.weight"]
        length = WIDTH**0.5  # that the last norm gives to a row with one entry
        texts = slice(len(TOKENS), len(embedding))
        embedding.zero_()
        embedding[:, 0] = 1  # a prompt's tokens ask for a text,
        embedding[texts] = torch.eye(WIDTH)[1].to(embedding.dtype)  # and a text for the end
        head.zero_()
        head[:, :2] = NEVER / length
        head[texts, 0] = torch.tensor(list(said.values())).to(head.dtype) / length
        head[END, 1] = -NEVER / length

    edit_tensors(folder, speak)
    return folder
