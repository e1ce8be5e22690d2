"""Whether every tensor of a merge has its counterpart in each model, by the names that count.

What some models alone have and no merge needs is left out: heads for tokens further on, the parts of a
multimodal model that its text part alone has not.
"""

from __future__ import annotations

from collections.abc import Sequence

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.names import bare, is_extra_head
from hm_models.errors import RecipeError
from hm_models.merge.same_architecture import is_text_part_of

SHOWN = 5  # examples named in an error


def leave_out(
    sides: Sequence[Checkpoint], effective: Sequence[dict[str, str]], lead: int
) -> list[str]:
    """Take out of the names what not all models have and no merge needs, and say what that was.

    Args:
        effective: of each model, the names that count and their sources; they are changed.
        lead: which of them the merge is like.
    """
    remarks = []
    everywhere = set.intersection(*map(set, effective))
    text = {bare(name).split(".")[0] for name in effective[lead]}
    for side, names in zip(sides, effective, strict=True):
        out = {name for name in names.keys() - everywhere if is_extra_head(name)}
        if is_text_part_of(sides[lead], side):
            out |= {name for name in names if bare(name).split(".")[0] not in text}
        if out:
            parts = sorted({bare(name).split(".")[0] for name in out})
            remarks.append(
                f"{len(out)} tensors of {side.name} are left out ({', '.join(parts)}): not all models have "
                "them, and the merge is a model without them"
            )
        for name in out:
            del names[name]
    return remarks


def compare_names(
    base: Checkpoint, base_names: dict[str, str], instruct: Checkpoint, names: dict[str, str]
) -> None:
    """Raise RecipeError for tensors that one of the two alone has."""
    for side, other, extra in (
        (base, instruct, sorted(base_names.keys() - names.keys())),
        (instruct, base, sorted(names.keys() - base_names.keys())),
    ):
        if extra:
            raise RecipeError(
                f"{len(extra)} tensors of {side.name} have no counterpart in {other.name}, first "
                f"{', '.join(extra[:SHOWN])}. Both must be the same architecture and size."
            )
