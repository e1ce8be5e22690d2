"""Can these checkpoints be merged, and tensor by tensor how? Decided from headers alone.

`plan_merge(recipe)` gives the plan that the stream follows, or raises with a sentence that names
what does not fit. What is done about differences that are allowed stands in the plan's `remarks`.
"""

from __future__ import annotations

import dataclasses
import itertools

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.headers import ADAPTER_CONFIG, TensorHeader
from hm_models.checkpoints.names import is_head, is_vocabulary
from hm_models.checkpoints.vocabulary import RowMatch, match_rows, read_vocabulary
from hm_models.errors import RecipeError
from hm_models.merge.common_names import (
    SHOWN,
    compare_names,
    effective_names,
    embedding,
    leave_out,
    own_heads,
)
from hm_models.merge.contract import Merge
from hm_models.merge.same_architecture import compare_configs


@dataclasses.dataclass(frozen=True)
class PlannedTensor:
    """One tensor of the merge.

    Attributes:
        name: as in the checkpoint that the merge is like (`Merge.lead`).
        sources: its name in each of the merge's checkpoints.
        rows: how each checkpoint's vocabulary rows correspond to the lead's, None for one whose rows are
            the same; None for all tensors that merge as they are.
        like: the tensor whose parameters count: this one, or the embedding where this is a tied
            head's copy of it and must get its bits.
    """

    name: str
    sources: tuple[str, ...]
    rows: tuple[RowMatch | None, ...] | None
    like: str


@dataclasses.dataclass(frozen=True)
class MergePlan:
    """What to merge, in the order of the lead's files, and what was noticed."""

    tensors: tuple[PlannedTensor, ...]
    config_overrides: dict[str, object]
    remarks: tuple[str, ...]

    def overrides(self, recipe: Merge) -> dict[str, object]:
        """What the merge has otherwise than the config that it carries; a side by itself has nothing."""
        return self.config_overrides if recipe.unmerged is None else {}


def plan_merge(recipe: Merge, trust_remote_code: bool = False) -> MergePlan:
    """Plan a merge.

    Args:
        trust_remote_code: whether a tokenizer may be read by code of its repository.

    Raises:
        RecipeError: architectures, tensors or shapes do not fit.
        CheckpointError: a checkpoint cannot be used, or the vocabularies are different ones.
    """
    sides, lead = recipe.checkpoints, recipe.checkpoints[recipe.lead]
    others = [side for index, side in enumerate(sides) if index != recipe.lead]
    remarks = [*recipe.notes]
    for side in others:
        remarks += compare_configs(side, lead)
    for side in sides:
        remarks += side.remarks
    remarks += [
        f"{ADAPTER_CONFIG} is ignored at every alpha: the adapter beside the weights of {side.name}"
        for side in sides
        if side.has_adapter
    ]
    remarks += [
        f"{one.name} and {other.name} seem to hold the same weights"
        + (", and so does every merge" if len(sides) == 2 else "")
        for one, other in itertools.combinations(sides, 2)
        if one.seems(other)
    ]
    effective = [effective_names(side, lead) for side in sides]
    names = effective[recipe.lead]

    overrides: dict[str, object] = {}
    own = [own_heads(theirs) for theirs in effective]
    for head in sorted(set().union(*own)):
        # Where some sides are tied, their head is their embedding, so the merge has a head of its own.
        for side, theirs, heads in zip(sides, effective, own, strict=True):
            if head in heads:
                continue
            if side.config.get("tie_word_embeddings") is False:
                raise RecipeError(
                    f"{side.name} has no {head}, but its config.json says tie_word_embeddings=false. "
                    "Complete the checkpoint, or say true there if its embedding is the head."
                )
            theirs[head] = embedding(side)
            overrides["tie_word_embeddings"] = False
            remarks.append(f"{side.name} ties its output head, so its embedding stands for {head}")

    for head in set(filter(is_head, itertools.chain(*effective))):
        # All tied: an engine wants a copy of the embedding just if the lead's files have one.
        for side, theirs in zip(sides, effective, strict=True):
            if head in names:
                theirs.setdefault(head, embedding(side))
            else:
                theirs.pop(head, None)

    remarks += leave_out(sides, effective, recipe.lead)
    for side, theirs in zip(sides, effective, strict=True):
        if side is not lead:
            compare_names(side, theirs, lead, names)
    embeddings = tuple(map(embedding, sides))
    rows = tuple(
        None
        if side is lead
        else _vocabulary_rows(
            side, lead, (name, recipe.names[recipe.lead]), remarks, trust_remote_code
        )
        for side, name in zip(sides, recipe.names, strict=True)
    )
    if any(rows) and recipe.needs_same_rows:
        raise RecipeError(
            f"merge_method={recipe.merge_method} needs the same tokens in the same rows on both sides, "
            f"and {remarks[-1]}. Merge the weights instead (merge_method=linear)."
        )
    planned = []
    for name in sorted(names, key=lambda name: _place(lead, names[name])):
        matched = rows if any(rows) and is_vocabulary(name) else None
        sources = tuple(theirs[name] for theirs in effective)
        like = embeddings[recipe.lead] if sources == embeddings else name
        planned.append(PlannedTensor(name, sources, matched, like))
    for index, side in enumerate(sides):
        _compare_shapes(
            side, lead, [(t, t.sources[index], t.sources[recipe.lead]) for t in planned]
        )
    recipe.arithmetic_fits([tensor.like for tensor in planned])
    remarks += _compare_dtypes(recipe, planned)
    if recipe.ignores_alpha:
        remarks.append(
            f"{recipe.merge_method} has no way between two models: every alpha but 0 and 1 gives the "
            "same merge"
        )
    return MergePlan(tuple(planned), overrides, tuple(remarks))


def _place(checkpoint: Checkpoint, name: str) -> tuple[str, int]:
    header: TensorHeader = checkpoint.tensors[name]
    return header.file.name, header.offset


def _compare_shapes(
    base: Checkpoint, instruct: Checkpoint, planned: list[tuple[PlannedTensor, str, str]]
) -> None:
    clashes = []
    for tensor, one, other in planned:
        ours, theirs = base.tensors[one], instruct.tensors[other]
        whole = slice(1, None) if tensor.rows else slice(None)
        if ours.shape[whole] != theirs.shape[whole]:
            clashes.append(f"{tensor.name} {list(ours.shape)} against {list(theirs.shape)}")
        elif ours.is_float != theirs.is_float:
            clashes.append(f"{tensor.name} {ours.dtype} against {theirs.dtype}")
    if clashes:
        raise RecipeError(
            f"{base.name} and {instruct.name} cannot be merged: {len(clashes)} tensors differ in "
            f"shape or kind, first {'; '.join(clashes[:SHOWN])}. Both must be the same "
            "architecture and size."
        )


def _vocabulary_rows(
    base: Checkpoint,
    instruct: Checkpoint,
    called: tuple[str, str],
    remarks: list[str],
    trust_remote_code: bool,
) -> RowMatch | None:
    rows = [side.tensors[embedding(side)].shape[0] for side in (base, instruct)]
    names = (base.name, instruct.name)
    if without := [side.name for side in (base, instruct) if not side.has_tokenizer]:
        if rows[0] != rows[1]:
            raise RecipeError(
                f"{' and '.join(without)} has no tokenizer, and the embeddings have {rows[0]:,} and "
                f"{rows[1]:,} rows, so which row is which token is not known. Add the tokenizer's files."
            )
        remarks.append(
            f"{' and '.join(without)} has no tokenizer: both embeddings have {rows[0]:,} rows, which are "
            "taken for the same tokens, and the one tokenizer that is there (or tokenizer=) serves both"
        )
        return None
    ours, theirs = (read_vocabulary(side, trust_remote_code) for side in (base, instruct))
    match = match_rows(ours, theirs, rows[0], rows[1], names)
    if match.is_plain and rows[0] == rows[1]:
        return None
    shown = f"rows: {rows[0]:,} in {called[0]}, {rows[1]:,} in {called[1]}"
    remarks.append(f"{match.remark(*called)} ({shown})")
    return match


def _compare_dtypes(recipe: Merge, planned: list[PlannedTensor]) -> list[str]:
    mixed = {
        tuple(s.tensors[name].dtype for s, name in zip(recipe.checkpoints, t.sources, strict=True))
        for t in planned
    }
    if len(mixed) == 1 and len(set(next(iter(mixed)))) == 1:
        return []
    found = ", ".join(" with ".join(dtypes) for dtypes in sorted(mixed))
    kept = recipe.names[recipe.lead]
    return [f"dtypes are mixed ({' with '.join(recipe.names)}: {found}); those of {kept} are kept"]
