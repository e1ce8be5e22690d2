"""What is merged, and how: a frozen, validated recipe with a fingerprint.

Hindsight merging (UAI 2025, section 3.1): theta = alpha * instruct + (1 - alpha) * base.

    from hm_models.recipe import MergeRecipe
    MergeRecipe(base="ckpt/base", instruct="ckpt/instruct", alpha=0.7).fingerprint()
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from functools import cached_property
from importlib.metadata import version

from hm_models.checkpoint import Checkpoint

# Two-model methods of `mergekit.merge_methods` whose only parameter is alpha.
MERGE_METHODS = ("linear", "slerp")
MERGE_DTYPES = ("float32", "bfloat16", "float16")


class RecipeError(ValueError):
    """A merge that cannot be made as asked; the message says what is wrong and how to mend it."""


def parse_alpha(alpha: object) -> float:
    """Return `alpha` as a float in [0, 1], or raise RecipeError with the remedy."""
    try:
        if isinstance(alpha, bool):
            raise TypeError
        value = float(alpha)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise RecipeError(
            f"alpha={alpha!r} is not a number. Give one between 0 (the base) and 1 (the instruct "
            "model), for example alpha=0.7."
        ) from None
    if math.isnan(value) or not 0.0 <= value <= 1.0:
        raise RecipeError(
            f"alpha={value:g} lies outside [0, 1]: 0 is the base, 1 the instruct model, and values "
            "in between merge them. Give for example alpha=0.7."
        )
    return value


@dataclasses.dataclass(frozen=True)
class MergeRecipe:
    """One merge of two checkpoints.

    Attributes:
        base: folder or hub name of the earlier checkpoint (alpha = 0).
        instruct: folder or hub name of the fine-tuned checkpoint (alpha = 1).
        alpha: weight of `instruct`, in [0, 1].
        base_revision, instruct_revision: branch, tag or commit on the hub.
        merge_method: one of MERGE_METHODS, carried out by `mergekit.merge_methods`.
        merge_dtype: precision of the arithmetic; the result is rounded once, to the dtype that the
            tensor has in the instruct checkpoint.

    Raises:
        RecipeError: a value is missing or out of range.
    """

    base: str
    instruct: str
    alpha: float
    base_revision: str | None = None
    instruct_revision: str | None = None
    merge_method: str = "linear"
    merge_dtype: str = "float32"

    def __post_init__(self) -> None:
        for side in ("base", "instruct"):
            value = getattr(self, side)
            if not isinstance(value, str) or not value.strip():
                raise RecipeError(
                    f"{side}={value!r} names no checkpoint. Give a folder or a hub name, for "
                    f"example --model_args base=PATH,instruct=PATH,alpha=0.7."
                )
        object.__setattr__(self, "alpha", parse_alpha(self.alpha))
        for name, known in (("merge_method", MERGE_METHODS), ("merge_dtype", MERGE_DTYPES)):
            if getattr(self, name) not in known:
                raise RecipeError(
                    f"{name}={getattr(self, name)!r} is not known. Known: {', '.join(known)}."
                )

    @cached_property
    def base_checkpoint(self) -> Checkpoint:
        """The opened base; headers are read, tensors are not. Raises CheckpointError."""
        return Checkpoint.open(self.base, self.base_revision)

    @cached_property
    def instruct_checkpoint(self) -> Checkpoint:
        """The opened instruct model; headers are read, tensors are not. Raises CheckpointError."""
        return Checkpoint.open(self.instruct, self.instruct_revision)

    @property
    def end(self) -> Checkpoint | None:
        """The one checkpoint that the recipe amounts to at alpha 0 or 1, else None."""
        if self.alpha == 0.0:
            return self.base_checkpoint
        if self.alpha == 1.0:
            return self.instruct_checkpoint
        return None

    @property
    def front(self) -> Checkpoint:
        """The checkpoint whose config, tokenizer and chat template the merge carries."""
        return self.end or self.instruct_checkpoint

    def fingerprint(self) -> str:
        """A SHA-256 over everything that shapes the merged weights and the tokenizer.

        It follows the content of the files, not their names: a copy of a checkpoint in another
        folder gives the same fingerprint, an edited one another.
        """
        if self.end is not None:
            parts: dict[str, object] = {"checkpoint": self.end.identity()}
        else:
            parts = {
                "base": self.base_checkpoint.identity(),
                "instruct": self.instruct_checkpoint.identity(),
                "alpha": self.alpha,
                "merge_method": self.merge_method,
                "merge_dtype": self.merge_dtype,
                "mergekit": version("mergekit"),
            }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict:
        """The recipe as plain JSON values; `MergeRecipe(**recipe.to_dict())` gives it back."""
        return dataclasses.asdict(self)
