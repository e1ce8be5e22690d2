"""Which tensor of each checkpoint is which of the merge, by name.

>>> from pathlib import Path
>>> from hm_models.checkpoints.headers import TensorHeader
>>> header, config = TensorHeader(Path("f"), "F32", (4, 2), 0, 32), {"tie_word_embeddings": True}
>>> old = Checkpoint("old", Path("old"), None, config, {"wte.weight": header}, {})
>>> new = Checkpoint("new", Path("new"), None, config, {"transformer.wte.weight": header}, {})
>>> effective_names(old, lead=new)
{'transformer.wte.weight': 'wte.weight'}

A name of the merge is the lead's. Each side says where it has that tensor: under its own name, or, of a tied
head, in its embedding. What some sides have and no merge needs is left out, with a remark.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.names import (
    INPUT_EMBEDDINGS,
    PLAIN_EMBEDDINGS,
    bare,
    is_computed,
    is_embedding,
    is_extra_head,
    is_head,
    spelled_as,
)
from hm_models.errors import RecipeError
from hm_models.merge.adapted import AdaptedSources
from hm_models.merge.same_architecture import is_text_part_of

SHOWN = 5  # examples named in an error


def effective_names(checkpoint: Checkpoint, lead: Checkpoint) -> dict[str, str]:
    """Names that count, with their sources: each itself, but the embedding for a tied head's copy.

    Args:
        lead: whose names they are, where it has others for the same tensors.

    Raises:
        RecipeError: a head that is tied by its config is another tensor than its embedding.
    """
    spelled = spelled_as(checkpoint.tensors, lead.tensors)
    names = {
        spelled[name]: name
        for name, header in checkpoint.tensors.items()
        if not is_computed(name, header.shape)
    }
    if checkpoint.ties_embeddings:
        for head in filter(is_head, names):
            if not _same_bytes(checkpoint, names[head], embedding(checkpoint)):
                raise RecipeError(
                    f"The config.json of {checkpoint.name} says tie_word_embeddings=true, but its "
                    f"{names[head]} differs from its embedding. Set tie_word_embeddings to false there "
                    "if the head is meant to count, else remove the tensor."
                )
            names[head] = embedding(checkpoint)
    return names


def own_heads(names: dict[str, str]) -> set[str]:
    """Heads that are no embedding's."""
    return {name for name, source in names.items() if is_head(name) and is_head(source)}


def embedding(checkpoint: Checkpoint) -> str:
    """The name of the input embedding."""
    for name in checkpoint.tensors:
        if is_embedding(name):
            return name
    raise RecipeError(
        f"{checkpoint.name} has neither an output head nor an input embedding by a known name "
        f"({', '.join(INPUT_EMBEDDINGS + PLAIN_EMBEDDINGS)}), so it cannot be compared with the other "
        "checkpoint."
    )


def leave_out(
    sides: Sequence[Checkpoint], effective: Sequence[dict[str, str]], lead: int
) -> list[str]:
    """Take out what some sides have and no merge needs, and say what that was."""
    common = set.intersection(*map(set, effective))
    text = {_part(name) for name in effective[lead]}
    remarks = []
    for side, names in zip(sides, effective, strict=True):
        out = {name for name in names.keys() - common if is_extra_head(name)}
        if is_text_part_of(sides[lead], side):
            out |= {name for name in names if _part(name) not in text}
        if out:
            parts = ", ".join(sorted({_part(name) for name in out}))
            remarks.append(
                f"{len(out)} tensors of {side.name} are left out ({parts}): the merge is a model without them"
            )
        for name in out:
            del names[name]
    return remarks


def compare_names(
    base: Checkpoint, base_names: dict[str, str], instruct: Checkpoint, names: dict[str, str]
) -> None:
    """Raise RecipeError for a tensor that one of two has alone."""
    for side, other, extra in (
        (base, instruct, sorted(base_names.keys() - names.keys())),
        (instruct, base, sorted(names.keys() - base_names.keys())),
    ):
        if extra:
            raise RecipeError(
                f"{len(extra)} tensors of {side.name} have no counterpart in {other.name}, first "
                f"{', '.join(extra[:SHOWN])}. Both must be the same architecture and size."
            )


def _part(name: str) -> str:
    """The part of the model that a tensor belongs to: `layers`, `lm_head`, `vision_tower` ..."""
    return bare(name).split(".")[0]


def _same_bytes(checkpoint: Checkpoint, one: str, other: str) -> bool:
    if checkpoint.tensors[one].shape != checkpoint.tensors[other].shape:
        return False
    read = AdaptedSources()(checkpoint)
    return torch.equal(read(one), read(other))
