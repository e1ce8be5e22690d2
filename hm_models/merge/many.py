"""A merge of any number of checkpoints, as a mergekit YAML says it: soups; base, SFT and DPO.

It has no alpha: `hm_models.merge.mergekit_yaml` reads it from a file whose parameters say it all. Of two
models it makes a `MergeRecipe` wherever that can say the same.

    >>> early, late = MergedModel("ckpt/1000", params={"weight": 1}), MergedModel("ckpt/2000")
    >>> soup = ManyRecipe((early, late), "linear", tokenizer_model="ckpt/2000", merge_params={"weight": 3})
    >>> soup.names[soup.lead]
    'ckpt/2000'
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from typing import Any, ClassVar

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.errors import CheckpointError, RecipeError
from hm_models.merge.arithmetic import Arithmetic, arithmetic_of, fits
from hm_models.merge.methods import Inputs, Method, Settings, refuse_endless
from hm_models.merge.parameters import ParameterSources
from hm_models.merge.recipe import MERGE_DTYPES


@dataclasses.dataclass(frozen=True)
class MergedModel:
    """One of the models: a folder or hub name, a revision on the hub, and its own parameters.

    `base` and `base_revision` are what an adapter is added to, where that is said: `base+model` in a YAML.
    """

    model: str
    revision: str | None = None
    params: Settings = dataclasses.field(default_factory=dict)
    base: str | None = None
    base_revision: str | None = None

    @property
    def name(self) -> str:
        """As in a YAML: two revisions of one repository are two models."""
        own = f"{self.model}@{self.revision}" if self.revision else self.model
        at = f"@{self.base_revision}" if self.base_revision else ""
        return f"{self.base}{at}+{own}" if self.base else own

    def opened(self) -> Checkpoint:
        """The checkpoint. Raises CheckpointError, also where what is added to a base is no adapter."""
        if self.base is None:
            return Checkpoint.open(self.model, self.revision)
        base = Checkpoint.open(self.base, self.base_revision)
        checkpoint = Checkpoint.open(self.model, self.revision, base)
        if checkpoint.adapted is None:
            raise CheckpointError(
                f"{self.name}: {self.model} is a checkpoint of its own, and no adapter of {self.base}."
            )
        return checkpoint


@dataclasses.dataclass(frozen=True)
class ManyRecipe:
    """One merge of checkpoints.

    Attributes:
        models: in the order of the sum; as plain JSON values they are taken, too.
        merge_method: a method of `mergekit.merge_methods`.
        tokenizer_model: name of the one whose rows, dtypes, config and tokenizer the merge has.
        base_model: name of the one from which the method measures the others, where it has one.
        merge_dtype, merge_params, merge_seed, out_dtype, notes: as in `MergeRecipe`.
        file: name of the YAML, for people; no part of the merge.

    Raises:
        RecipeError: a value is unknown or out of range, or the method does not take these models. The
            sentences speak of a YAML's fields.
    """

    models: tuple[MergedModel, ...]
    merge_method: str
    tokenizer_model: str
    base_model: str | None = None
    merge_dtype: str | None = None
    merge_params: Settings = dataclasses.field(default_factory=dict)
    merge_seed: int = 0
    out_dtype: str | None = None
    file: str = dataclasses.field(default="", compare=False)
    notes: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    # What a pair may have, and these have not.
    alpha: ClassVar[None] = None
    schedule: ClassVar[None] = None
    unmerged: ClassVar[None] = None
    needs_same_rows: ClassVar[bool] = False
    ignores_alpha: ClassVar[bool] = False
    remarks: ClassVar[tuple[str, ...]] = ()
    linear_weights: ClassVar[None] = None  # what mergekit resolves is as fast

    def __post_init__(self) -> None:
        models = (MergedModel(**m) if isinstance(m, Mapping) else m for m in self.models)
        object.__setattr__(self, "models", tuple(models))
        for field, dtype in (("dtype", self.merge_dtype), ("out_dtype", self.out_dtype)):
            if dtype not in (None, *MERGE_DTYPES):
                raise RecipeError(
                    f"{field}: {dtype} is not known. Known: {', '.join(MERGE_DTYPES)}."
                )
        method = self._method
        given = [self.merge_params, *(model.params for model in self.models)]
        for settings in given:
            refuse_endless(settings)
            method.check_values(settings)
        method.check({name for settings in given for name in settings}, False, "parameters: ")

    @property
    def _method(self) -> Method:
        return Method.named(self.merge_method)

    @property
    def label(self) -> str:
        return self.file or " + ".join(self.names)

    @property
    def inputs(self) -> Inputs:
        return Inputs(self.names, self.base_model)

    @property
    def sources(self) -> ParameterSources:
        return ParameterSources(
            self.merge_params, {model.name: model.params for model in self.models}
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(model.name for model in self.models)

    @property
    def lead(self) -> int:
        return self.names.index(self.tokenizer_model)

    @cached_property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The opened models; headers are read, tensors are not. Raises CheckpointError."""
        return tuple(model.opened() for model in self.models)

    @property
    def tokenizer_source(self) -> Checkpoint:
        return self.checkpoints[self.lead]

    def with_alpha(self, alpha: object) -> ManyRecipe:
        """Raise RecipeError: there is no alpha between many models."""
        raise RecipeError(
            f"alpha={alpha!r}: {self.label} merges {len(self.models)} models by weights "
            "of its own, so there is no alpha to go to. Write a file for each merge."
        )

    def arithmetic(self, names: list[str]) -> dict[str, Arithmetic]:
        """How each of a model's tensors is merged, by its name. Raises RecipeError."""
        return arithmetic_of(
            self._method, self.inputs, self.sources, names, self.merge_dtype, self.merge_seed
        )

    def arithmetic_fits(self, names: list[str]) -> None:
        """Raise RecipeError if the parameters do not fit one of these tensors."""
        fits(self.arithmetic(names).values())

    def fingerprint(self) -> str:
        """A SHA-256 over the content of all models and what is made of them, not over names."""
        parts = self.to_dict() | {"mergekit": version("mergekit")}
        del parts["file"]
        parts["models"] = [
            {"content": checkpoint.identity(), "params": model.params}
            for model, checkpoint in zip(self.models, self.checkpoints, strict=True)
        ]
        for field in ("base_model", "tokenizer_model"):
            if parts[field] is not None:
                parts[field] = self.names.index(parts[field])
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values; `ManyRecipe(**recipe.to_dict())` gives it back."""
        fields = dataclasses.asdict(self)
        del fields["notes"]
        fields["models"] = list(fields["models"])
        return fields

    def of_the_files(self) -> dict[str, Any]:
        """The models with the commits of the hub that they are, and a digest of their content each."""
        found = zip(self.models, self.checkpoints, strict=True)
        return {
            "models": [
                dataclasses.asdict(model)
                | {"revision": checkpoint.revision, "identity": checkpoint.identity()}
                for model, checkpoint in found
            ]
        }
