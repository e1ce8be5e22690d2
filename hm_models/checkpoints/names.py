"""What a tensor's name says, whoever wrote the file.

    >>> unwrapped("module._orig_mod.model.norm.weight")
    'model.norm.weight'
    >>> bare("language_model.model.layers.0.mlp.up_proj.weight")
    'layers.0.mlp.up_proj.weight'
    >>> is_vocabulary("model.tok_embeddings.weight"), is_head("output.weight")
    (True, True)

One tensor has several names: torch.compile and data parallel wrappers put theirs before it, a library's
versions move the text part of a multimodal model, and the hub's first files leave out the body's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Modules with one row for each token, by the names that the architectures of the hub use.
INPUT_EMBEDDINGS = ("embed_tokens", "wte", "embed_in", "word_embeddings")
OUTPUT_HEADS = ("lm_head", "embed_out")
# Words that mean other things deeper in a model (Mamba, Nemotron-H; InternLM2).
PLAIN_EMBEDDINGS = ("embeddings", "tok_embeddings")
PLAIN_HEADS = ("output",)
# Buffers that old checkpoints carry and every loader computes by itself.
COMPUTED_BUFFERS = ("rotary_emb.inv_freq", "attention.masked_bias", "attn.masked_bias")
CAUSAL_MASKS = ("attention.bias", "attn.bias")  # [1, 1, tokens, tokens]; a bias has one dimension
# Heads for training or for guessing several tokens at once, which no causal language model loads.
EXTRA_HEADS = ("mtp", "v_head")

# What torch.compile, FSDP, activation checkpointing (anywhere) and DDP (in front) put into a name.
_WRAPPERS = re.compile(
    r"^(module\.)+|(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
_BODIES = re.compile(r"^((model|language_model|transformer|gpt_neox|backbone)\.)+")


def unwrapped(name: str) -> str:
    """A name without what wrappers of a training put into it."""
    while (plain := _WRAPPERS.sub("", name)) != name:
        name = plain
    return name


def bare(name: str) -> str:
    """What versions of a library have in common of a name: its place within the body of the model."""
    return _BODIES.sub("", name).replace("vision_tower.vision_model.", "vision_tower.")


def spelled_as(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Each of `names` with the name that `others` has for the same tensor, or else its own.

    >>> spelled_as(["h.0.ln_1.bias"], ["transformer.h.0.ln_1.bias"])
    {'h.0.ln_1.bias': 'transformer.h.0.ln_1.bias'}
    """
    names, others = list(names), list(others)
    theirs = {bare(name): name for name in others}
    if len(theirs) < len(others) or len({bare(name) for name in names}) < len(names):
        return {name: name for name in names}  # here the body's name tells two tensors apart
    return {name: theirs.get(bare(name), name) for name in names}


def is_embedding(name: str) -> bool:
    return _is_one_of(name, INPUT_EMBEDDINGS, PLAIN_EMBEDDINGS)


def is_head(name: str) -> bool:
    """Whether it is the weight of an output head; a bias is no part of what is tied."""
    return name.endswith(".weight") and _is_one_of(name, OUTPUT_HEADS, PLAIN_HEADS)


def is_vocabulary(name: str) -> bool:
    """Whether it has one row for each token."""
    return is_embedding(name) or _is_one_of(name, OUTPUT_HEADS, PLAIN_HEADS)


def is_computed(name: str, shape: Sequence[int]) -> bool:
    """Whether it is a buffer that every loader computes by itself."""
    is_mask = len(shape) == 4 and tuple(shape[:2]) == (1, 1) and name.endswith(CAUSAL_MASKS)
    return is_mask or name.endswith(COMPUTED_BUFFERS)


def is_extra_head(name: str) -> bool:
    return bare(name).split(".")[0] in EXTRA_HEADS


def _is_one_of(name: str, anywhere: tuple[str, ...], on_top: tuple[str, ...]) -> bool:
    if "." not in name:
        return name in anywhere
    module = name.split(".")[-2]
    return module in anywhere or (module in on_top and bare(name).count(".") == 1)
