"""What plans, streams, engines and stores want to know of a merge, of however many checkpoints.

`hm_models.merge.recipe.MergeRecipe` is the merge of a pair, at an alpha;
`hm_models.merge.many.ManyRecipe` that of however many models a mergekit YAML names.
"""

from __future__ import annotations

from typing import Any, Protocol

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.merge.alpha import Alpha
from hm_models.merge.arithmetic import Arithmetic
from hm_models.merge.methods import Inputs
from hm_models.merge.parameters import ParameterSources
from hm_models.merge.schedule import Schedule


class Merge(Protocol):
    """A merge, frozen and checked; opening its checkpoints reads headers alone."""

    @property
    def merge_method(self) -> str: ...

    @property
    def merge_dtype(self) -> str | None:
        """Precision of the arithmetic; None promotes the inputs' own."""

    @property
    def alpha(self) -> Alpha | None:
        """None where there is none: the parameters say it all."""

    @property
    def out_dtype(self) -> str | None:
        """Dtype of the merged tensors; None keeps the lead's."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was given and has no effect."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the results of this alpha should say of it."""

    @property
    def label(self) -> str:
        """What logs call the merge."""

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The inputs, in the order in which they are summed. Raises CheckpointError."""

    @property
    def names(self) -> tuple[str, ...]:
        """What messages call them."""

    @property
    def lead(self) -> int:
        """Which of them the merge is like: in its tensors' order and dtypes, rows, config, tokenizer."""

    @property
    def unmerged(self) -> Checkpoint | None:
        """The one checkpoint that the merge amounts to, else None."""

    @property
    def tokenizer_source(self) -> Checkpoint:
        """The checkpoint whose config, tokenizer and chat template the merge carries."""

    @property
    def schedule(self) -> Schedule | None:
        """Which of two models writes which token, of `merge_method=switch`; else None."""

    @property
    def needs_same_rows(self) -> bool:
        """Whether tokens must sit in the same rows of all inputs."""

    @property
    def ignores_alpha(self) -> bool:
        """Whether alpha is given, and changes nothing."""

    @property
    def linear_weights(self) -> tuple[float, ...] | None:
        """Those of the inputs, where the merge is their sum by one number each, in float32."""

    @property
    def inputs(self) -> Inputs:
        """The models as the method takes them: in order, and which of them is its base."""

    @property
    def sources(self) -> ParameterSources:
        """mergekit's parameters of the method, for all and for single inputs."""

    def with_alpha(self, alpha: object) -> Merge:
        """The same merge at another alpha. Raises RecipeError."""

    def arithmetic(self, names: list[str]) -> dict[str, Arithmetic]:
        """How each of a model's tensors is merged, by its name. Raises RecipeError."""

    def arithmetic_fits(self, names: list[str]) -> None:
        """Raise RecipeError if the parameters do not fit one of these tensors."""

    def fingerprint(self) -> str:
        """A SHA-256 over everything that shapes the merged weights and the tokenizer."""

    def to_dict(self) -> dict[str, Any]:
        """The merge as plain JSON values."""

    def of_the_files(self) -> dict[str, Any]:
        """What the opened checkpoints are: revisions and content, as plain JSON values."""


def same_checkpoints(one: Merge, other: Merge) -> bool:
    """Whether both are of the same opened checkpoints, so that what is planned for one holds for both."""
    pairs = zip(one.checkpoints, other.checkpoints, strict=False)
    return len(one.checkpoints) == len(other.checkpoints) and all(a is b for a, b in pairs)


def tokenizer_checkpoint(recipe: Merge) -> Checkpoint:
    """Whose tokenizer serves: the source's, or another input's where the source has none."""
    source = recipe.tokenizer_source
    return next(filter(lambda side: side.has_tokenizer, (source, *recipe.checkpoints)), source)
