"""What is merged, and how: a frozen, validated recipe with a fingerprint.

Hindsight merging (UAI 2025, section 3.1): theta = alpha * instruct + (1 - alpha) * base.

    >>> recipe = MergeRecipe(base="ckpt/base", instruct="ckpt/instruct", alpha=0.75)
    >>> recipe.linear_weights
    (0.25, 0.75)
    >>> MergeRecipe(base="ckpt/base", instruct="ckpt/instruct", alpha="[0.2, 0.9]").alpha
    (0.2, 0.9)
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import version
from typing import Any, ClassVar

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.errors import RecipeError
from hm_models.merge.alpha import Alpha, beyond
from hm_models.merge.arithmetic import Arithmetic, arithmetic_of, fits
from hm_models.merge.contract import tokenizer_checkpoint
from hm_models.merge.methods import BASE, INSTRUCT, LINEAR, Inputs, Method, Settings, refuse_endless
from hm_models.merge.pair_method import MIX, SIDE_BY_SIDE, SWITCH, as_mapping, settle
from hm_models.merge.pair_names import named_base
from hm_models.merge.parameters import ParameterSources
from hm_models.merge.schedule import Schedule

MERGE_DTYPES = ("float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class MergeRecipe:
    """One merge of two checkpoints.

    Attributes:
        base: folder or hub name of the earlier checkpoint (alpha = 0). It may be left out where `instruct` is
            an adapter, and is then the model that the adapter names, as in what follows.
        instruct: folder or hub name of the fine-tuned checkpoint (alpha = 1), or of a LoRA adapter.
        alpha: weight of `instruct`, in [0, 1]: a number, or as `hm_models.merge.alpha` says. None where the
            parameters say it all, as with `switch`, where it is refused.
        base_revision, instruct_revision: branch, tag or commit on the hub.
        merge_method: a method of `mergekit.merge_methods` for two models, `mix` or `switch`.
        merge_dtype: precision of the arithmetic; the result is rounded once, to `out_dtype`. None
            promotes the two inputs' dtypes.
        merge_params: the method's other parameters, as settings of mergekit; for `switch` the rule
            (`hm_models.merge.schedule.Schedule`), in full.
        base_params, instruct_params: the same for one input alone.
        merge_seed: what methods that drop weights at random draw from.
        extrapolate: take an alpha outside [0, 1], with methods that go on beyond the two models.
        out_dtype: dtype of the merged tensors; None keeps the instruct model's.
        notes: sentences on what was given and has no effect, for the remarks of the plan; they are
            no part of the merge.

    Raises:
        RecipeError: a value is missing, unknown or out of range.
    """

    base: str = ""
    instruct: str = ""
    alpha: Alpha | None = None
    base_revision: str | None = None
    instruct_revision: str | None = None
    merge_method: str = "linear"
    merge_dtype: str | None = "float32"
    merge_params: Settings = dataclasses.field(default_factory=dict)
    base_params: Settings = dataclasses.field(default_factory=dict)
    instruct_params: Settings = dataclasses.field(default_factory=dict)
    merge_seed: int = 0
    extrapolate: bool = False
    out_dtype: str | None = None
    notes: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def __post_init__(self) -> None:
        base, base_revision = named_base(
            self.base, self.base_revision, self.instruct, self.instruct_revision
        )
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "base_revision", base_revision)
        for name in ("merge_params", "base_params", "instruct_params"):
            object.__setattr__(self, name, as_mapping(name, getattr(self, name)))
            refuse_endless(getattr(self, name))
        for name in ("merge_dtype", "out_dtype"):
            if getattr(self, name) not in (None, *MERGE_DTYPES):
                raise RecipeError(
                    f"{name}={getattr(self, name)!r} is not known. Known: {', '.join(MERGE_DTYPES)}."
                )
        if isinstance(self.merge_seed, bool) or not isinstance(self.merge_seed, int):
            raise RecipeError(f"merge_seed={self.merge_seed!r}: expected a whole number.")
        if not isinstance(self.extrapolate, bool):
            raise RecipeError(f"extrapolate={self.extrapolate!r}: expected true or false.")
        alpha, params = settle(
            self.merge_method,
            self.alpha,
            self.extrapolate,
            (self.merge_params, self.base_params, self.instruct_params),
        )
        object.__setattr__(self, "alpha", alpha)
        object.__setattr__(self, "merge_params", params)

    @cached_property
    def base_checkpoint(self) -> Checkpoint:
        """The opened base; headers are read, tensors are not. Raises CheckpointError."""
        return Checkpoint.open(self.base, self.base_revision)

    @cached_property
    def instruct_checkpoint(self) -> Checkpoint:
        """The opened instruct model; headers are read, tensors are not. Raises CheckpointError."""
        base = self.base_checkpoint
        return Checkpoint.open(
            self.instruct, self.instruct_revision, None if base.adapted else base
        )

    names: ClassVar[tuple[str, ...]] = (BASE, INSTRUCT)
    lead: ClassVar[int] = 1

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Base and instruct model; the merge is like the latter. Raises CheckpointError."""
        return self.base_checkpoint, self.instruct_checkpoint

    def with_alpha(self, alpha: object) -> MergeRecipe:
        """The same merge at another alpha, on the same opened checkpoints.

        Raises:
            RecipeError: as for the recipe itself.
        """
        return self._with(alpha=alpha)

    def with_base(self, base: str, base_revision: str | None = None) -> MergeRecipe:
        """The same merge from another base, as a stage of its training; an adapter is opened on that.

        Raises:
            RecipeError: as for the recipe itself.
        """
        adapted = self.instruct_checkpoint.adapted
        if adapted and adapted.base is self.base_checkpoint:
            raise RecipeError(
                f"{self.instruct} is an adapter, which makes another model of each base: stages of a base have "
                "no instruct model in common. Write it once with hm-merge at alpha 1, or list adapters as "
                "stages."
            )
        other = dataclasses.replace(self, base=base, base_revision=base_revision)
        if not self.instruct_checkpoint.adapted:
            object.__setattr__(other, "instruct_checkpoint", self.instruct_checkpoint)
        return other

    def _with(self, **changes: object) -> MergeRecipe:
        other = dataclasses.replace(self, **changes)  # type: ignore[arg-type]
        for side in ("base_checkpoint", "instruct_checkpoint"):
            object.__setattr__(other, side, getattr(self, side))
        return other

    @property
    def schedule(self) -> Schedule | None:
        """Which of two models writes which token, of `merge_method=switch`; else None."""
        return Schedule.of(self.merge_params) if self.merge_method == SWITCH else None

    def sides(self, alphas: Iterable[float]) -> list[MergeRecipe]:
        """The models that run side by side, each as a recipe of its own."""
        return [self._with(merge_method="linear", merge_params={}, alpha=alpha) for alpha in alphas]

    @property
    def needs_same_rows(self) -> bool:
        """Whether the base itself runs beside another model, so that tokens must sit in its rows."""
        rule = self.schedule
        return self.merge_method == MIX or (rule is not None and 0.0 in rule.alphas)

    @property
    def unmerged(self) -> Checkpoint | None:
        """The one checkpoint that the recipe amounts to at alpha 0 or 1, else None."""
        if self.alpha == 0.0:
            return self.base_checkpoint
        if self.alpha == 1.0:
            return self.instruct_checkpoint
        return None

    @property
    def tokenizer_source(self) -> Checkpoint:
        """The checkpoint whose config, tokenizer and chat template the merge carries."""
        return self.unmerged or self.instruct_checkpoint

    @property
    def ignores_alpha(self) -> bool:
        """Whether the method has no way between the two models, so that alpha changes nothing."""
        if self.merge_method in (LINEAR, *SIDE_BY_SIDE) or self.alpha is None:
            return False
        return not Method(self.merge_method).set_by_alpha

    @property
    def label(self) -> str:
        """What logs call the merge."""
        at = f"@{self.base_revision}" if self.base_revision else ""
        return f"base={self.base}{at}, alpha={self.alpha}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the results of this alpha should say of it."""
        if not beyond(self.alpha):
            return ()
        said = f"alpha={json.dumps(self.alpha)} lies outside [0, 1], so the merge is extrapolated"
        return (f"{said} beyond the two checkpoints (extrapolate=true)",)

    @property
    def linear_weights(self) -> tuple[float, float] | None:
        """Those of base and instruct model, where the merge lies between them by one number, in float32."""
        given = self.merge_params or self.base_params or self.instruct_params
        if self.merge_method != LINEAR or self.merge_dtype != "float32" or given:
            return None
        if beyond(self.alpha):  # may leave the numbers of a dtype, which `Arithmetic` finds
            return None
        return (1.0 - self.alpha, self.alpha) if isinstance(self.alpha, float) else None

    @property
    def inputs(self) -> Inputs:
        """The two as the method takes them."""
        return Method(self.merge_method).pair

    @property
    def sources(self) -> ParameterSources:
        """mergekit's parameters, those that alpha stands for among them."""
        by_alpha: tuple[Settings, Settings, Settings] = ({}, {}, {})
        if self.alpha is not None:
            by_alpha = Method(self.merge_method).alpha_settings(self.alpha)
        shared, base, instruct = (
            {**ours, **theirs}
            for ours, theirs in zip(
                by_alpha, (self.merge_params, self.base_params, self.instruct_params), strict=True
            )
        )
        return ParameterSources(shared, {BASE: base, INSTRUCT: instruct})

    def arithmetic(self, names: list[str]) -> dict[str, Arithmetic]:
        """How each of a model's tensors is merged, by its name.

        Raises:
            RecipeError: the method merges no weights (`mix`, `switch`), or its parameters do not fit a
                tensor.
        """
        if self.merge_method in SIDE_BY_SIDE:
            raise RecipeError(
                f"merge_method={self.merge_method} merges no weights, so there are no merged tensors."
            )
        method, dtype = Method(self.merge_method), self.merge_dtype
        return arithmetic_of(method, self.inputs, self.sources, names, dtype, self.merge_seed)

    def arithmetic_fits(self, names: list[str]) -> None:
        """Raise RecipeError if the parameters do not fit one of these tensors."""
        if self.merge_method in SIDE_BY_SIDE or self.unmerged or self.linear_weights:
            return
        fits(self.arithmetic(names).values())

    def fingerprint(self) -> str:
        """A SHA-256 over everything that shapes the merged weights and the tokenizer.

        It follows the content of the files, not their names: a copy of a checkpoint in another
        folder gives the same fingerprint, an edited one another.
        """
        parts: dict[str, Any]
        if self.unmerged is not None:
            parts = {"checkpoint": self.unmerged.identity()}
            if tokenizer_checkpoint(self) is not self.unmerged:
                parts["tokenizer"] = tokenizer_checkpoint(self).identity()
        else:
            parts = {name: value for name, value in self.to_dict().items() if value or value == 0}
            # Whether alpha may lie beyond: alpha itself says where it lies.
            for name in ("base_revision", "instruct_revision", "extrapolate"):
                parts.pop(name, None)
            if self.ignores_alpha:
                del parts["alpha"]
            parts["base"] = self.base_checkpoint.identity()
            parts["instruct"] = self.instruct_checkpoint.identity()
            parts["mergekit"] = version("mergekit")
        # Not sorted within: the order of patterns counts. The fields' own order is fixed.
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def of_the_files(self) -> dict[str, Any]:
        """What the opened checkpoints are: commits of the hub, and content."""
        base, instruct = self.checkpoints
        return {
            "base_revision": base.revision,
            "instruct_revision": instruct.revision,
            "base_identity": base.identity(),
            "instruct_identity": instruct.identity(),
        }

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values; `MergeRecipe(**recipe.to_dict())` gives it back."""
        fields = dataclasses.asdict(self)
        del fields["notes"]
        return fields
