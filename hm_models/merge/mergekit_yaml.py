"""A mergekit YAML as a recipe: `recipe=FILE` in place of base, instruct and alpha.

    models:
      - model: path/to/base
      - model: path/to/instruct
        parameters: {weight: 0.7, density: 0.5}
    base_model: path/to/base
    merge_method: dare_linear
    dtype: float32
    out_dtype: bfloat16

It is read by mergekit's own `MergeConfiguration`, and may name any number of models. Of two, `base_model`
is the base, or without one the first; the other is the instruct model, whose tokenizer and config the
merge carries. Of more it carries those of the last that is not `base_model`, unless `tokenizer_source`
names another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.errors import RecipeError
from hm_models.files.yaml_files import read_yaml
from hm_models.merge.contract import Merge
from hm_models.merge.many import ManyRecipe, MergedModel
from hm_models.merge.methods import Inputs, Method, all_parameters
from hm_models.merge.recipe import MergeRecipe

# What a merge of like models does not need, and what would change more than weights.
NOT_READ = ("modules", "chat_template")
# Whose parameters a place may hold, in mergekit's words.
OF_ONE = ("input", "non_base")
OF_ALL = ("shared", *OF_ONE)


def read_recipe(file: str | Path) -> Merge:
    """Return the recipe of a YAML file: a `MergeRecipe` of a pair, else a `ManyRecipe`.

    Raises:
        RecipeError: the file is missing, no merge configuration, or not a plain merge of models.
    """
    from mergekit.config import MergeConfiguration

    path = Path(file).expanduser()
    try:
        content = read_yaml(path)
        config = MergeConfiguration.model_validate(content)
    except OSError as error:
        raise RecipeError(f"recipe={file} cannot be read: {error.strerror}.") from None
    except Exception as error:  # pydantic has kinds of its own, mergekit RuntimeError
        reason = " ".join(str(error).removeprefix(f"{path}: ").split())
        raise RecipeError(
            f"recipe={file} is no merge configuration of mergekit: {reason}"
        ) from None
    # mergekit would pass over a field with a typing error.
    if unknown := sorted(map(str, content.keys() - MergeConfiguration.model_fields.keys())):
        raise RecipeError(
            f"recipe={file}: mergekit knows no field {', '.join(unknown)}. Leave it out, or see "
            f"whether one of these is meant: {', '.join(MergeConfiguration.model_fields)}."
        )
    try:
        return _recipe(config, path.name)
    except RecipeError as error:
        raise RecipeError(f"recipe={file}: {error}") from None


def _recipe(config: Any, file: str) -> Merge:
    for field in NOT_READ:
        if getattr(config, field):
            raise RecipeError(
                f"{field} is not supported. Tokens are matched by their string, and tokenizer and "
                "chat template are one model's: leave it out."
            )
    sources = config.models or _whole_slice(config)
    method = Method.named(config.merge_method)
    inputs = _inputs([str(source.model) for source in sources], config.base_model, method)
    notes: list[str] = []
    shared = _with_effect(method, config.parameters, "parameters", OF_ALL, notes)
    given = {str(source.model): source.parameters for source in sources}
    own = {
        name: _with_effect(
            method, given.get(name), name, ("input",) if name == inputs.base else OF_ONE, notes
        )
        for name in inputs.names
    }
    method.check({*shared}.union(*own.values()), has_alpha=False, written="parameters: ")
    references = {str(reference): reference for reference in config.referenced_models()}
    models = [_model(references[name], own[name]) for name in inputs.names]
    lead = _lead(config, inputs.names)
    merge: dict[str, Any] = {
        "merge_method": method.name,
        "merge_dtype": config.dtype,
        "merge_params": shared,
        "out_dtype": _out_dtype(config, method, inputs, notes),
        "notes": tuple(notes),
    }
    if pair := _as_pair(models, inputs, lead, method):
        base, instruct = pair
        return MergeRecipe(
            base=base.model,
            instruct=instruct.model,
            base_revision=base.revision,
            instruct_revision=instruct.revision,
            base_params=base.params,
            instruct_params=instruct.params,
            **merge,
        )
    return ManyRecipe(
        tuple(models), tokenizer_model=lead, base_model=inputs.base, file=file, **merge
    )


def _inputs(models: list[str], base_model: Any, method: Method) -> Inputs:
    """The models in mergekit's order: a base that is not listed comes last. Refuses what it refuses."""
    listed = ", ".join(models)
    if len(models) != len(set(models)):
        raise RecipeError(f"it lists a model twice ({listed}). Name each once.")
    base = str(base_model) if base_model else None
    contract = method.spec.contract
    if base is None and contract.base.value == "required":
        raise RecipeError(
            f"{method.name} needs a base_model, which says from where the others' way is measured. "
            f"Add `base_model: {models[0]}`, or whichever of them it is."
        )
    names = (*models, base) if base and base not in models else tuple(models)
    try:
        contract.validate_ids(names, base)
    except ValueError as error:
        why = str(error).removeprefix("Merge method ")
        told = f"{listed}; base_model: {base}" if base else listed
        raise RecipeError(
            f"{method.name} {why} ({told}). List as many models as it takes, or choose another "
            "merge_method."
        ) from None
    return Inputs(names, None if contract.base.value == "ignored" else base)


def _lead(config: Any, names: Sequence[str]) -> str:
    """The model whose rows, dtypes, config and tokenizer the merge has."""
    tokenizer = config.tokenizer
    if tokenizer and (tokenizer.tokens or tokenizer.pad_to_multiple_of):
        raise RecipeError("of tokenizer, source alone is supported: leave the rest out.")
    asked = tokenizer.source if tokenizer else config.tokenizer_source
    base = str(config.base_model) if config.base_model else None
    if asked is None:
        return next((name for name in reversed(names) if name != base), names[-1])
    source = base if asked == "base" else str(asked)
    if source is None or source not in names:
        raise RecipeError(
            f"tokenizer_source: {asked} is not supported, as the merge has one of the models' tokens. "
            f"Name the model: {', '.join(names)}."
        )
    return source


def _as_pair(
    models: list[MergedModel], inputs: Inputs, lead: str, method: Method
) -> tuple[MergedModel, MergedModel] | None:
    """Base and instruct model, where the recipe of a pair says the same merge, else None."""
    if len(models) != 2:
        return None
    base, instruct = sorted(models, key=lambda model: model.name == lead)
    # Of a pair an adapter is added to the base.
    added_to = [(model.base, model.base_revision) for model in (base, instruct)]
    if added_to[0][0] or added_to[1] not in ((None, None), (base.model, base.revision)):
        return None
    if method.pair.base is None:  # two inputs alike, whose order is that of the sum
        return (base, instruct) if inputs.base is None and models[0] is base else None
    return (base, instruct) if inputs.base == base.name else None


def _out_dtype(config: Any, method: Method, inputs: Inputs, notes: list[str]) -> str | None:
    """mergekit leaves a merge in the dtype in which it was made, which may not be the one asked for."""
    if config.out_dtype:
        return config.out_dtype
    asked = getattr(torch, config.dtype or "bfloat16", None)
    made = asked and method.result_dtype(inputs, asked)
    if made == asked:
        return config.dtype
    name = str(made).removeprefix("torch.")
    notes.append(
        f"{method.name} leaves {name} as in mergekit, whatever dtype says; out_dtype changes that"
    )
    return name


def _with_effect(
    method: Method,
    parameters: Mapping[str, Any] | None,
    whose: str,
    scopes: tuple[str, ...],
    notes: list[str],
) -> dict[str, Any]:
    """The parameters that this method reads in this place; as in mergekit, others have no effect."""
    kept = {}
    for name, setting in _plain(parameters).items():
        known = method.parameters.get(name)
        if known is not None and known.scope.value in scopes:
            kept[name] = setting
        elif known is None and name not in all_parameters():
            kept[name] = setting  # a typing error, which the method's check names
        else:
            notes.append(f"{name} ({whose}) has no effect, as {method.name} does not read it there")
    return kept


def _whole_slice(config: Any) -> list[Any]:
    """The sources of the one slice that spans all models, as mergekit's slerp examples have it."""
    (first, *more) = config.slices
    if not more and first.base_model is None and not first.parameters:
        whole = [list(source.layer_range) == [0, _layers(source.model)] for source in first.sources]
        if all(whole):
            return first.sources
    raise RecipeError(
        "slices that rearrange layers are not supported, as the merge must have the architecture of "
        "its models. Give `models`, or one slice over all layers of all of them."
    )


def _layers(reference: Any) -> object:
    checkpoint = Checkpoint.open(reference.model.path, reference.model.revision)
    return checkpoint.config.get("num_hidden_layers")


def _model(reference: Any, params: Mapping[str, Any]) -> MergedModel:
    base, adapter = reference.model, reference.lora
    if adapter is None:
        return MergedModel(base.path, base.revision, params)
    return MergedModel(adapter.path, adapter.revision, params, base.path, base.revision)


def _plain(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings as plain values; mergekit's filters become dicts again."""

    def plain(setting: Any) -> Any:
        if isinstance(setting, list):
            return [plain(item) for item in setting]
        return setting.model_dump() if hasattr(setting, "model_dump") else setting

    return {name: plain(setting) for name, setting in (parameters or {}).items()}
