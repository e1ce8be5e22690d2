"""A mergekit YAML of two models as a recipe: `recipe=FILE` in place of base, instruct and alpha.

    models:
      - model: path/to/base
      - model: path/to/instruct
        parameters: {weight: 0.7, density: 0.5}
    base_model: path/to/base
    merge_method: dare_linear
    dtype: float32
    out_dtype: bfloat16

It is read by mergekit's own `MergeConfiguration`. `base_model` is the base, or without one the first
of the two models; the other is the instruct model, whose tokenizer and config the merge carries.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.errors import RecipeError
from hm_models.files.yaml_files import read_yaml
from hm_models.merge.methods import TwoModelMethod, all_parameters
from hm_models.merge.recipe import MergeRecipe

# What a merge of two like models does not need, and what would change more than weights.
NOT_READ = ("modules", "tokenizer", "tokenizer_source", "chat_template")


def read_recipe(file: str | Path) -> MergeRecipe:
    """Return the recipe of a YAML file.

    Raises:
        RecipeError: the file is missing, no merge configuration, or not a plain merge of two models.
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
    for field in NOT_READ:
        if getattr(config, field):
            raise RecipeError(
                f"recipe={file}: {field} is not supported. Tokens are matched by their string, and "
                "tokenizer and chat template are the instruct model's: leave it out."
            )
    return _recipe(config, file)


def _recipe(config: Any, file: str | Path) -> MergeRecipe:
    inputs = config.models or _whole_slice(config, file)
    for reference in config.referenced_models():
        _check_plain(reference, file)
    try:
        method = TwoModelMethod.named(config.merge_method)
    except RecipeError as error:
        raise RecipeError(f"recipe={file}: {error}") from None
    _check_models([source.model for source in inputs], config.base_model, method, file)
    # By reference, not by path: two revisions of one repository are two models.
    given = {source.model: source.parameters for source in inputs}
    base = config.base_model or inputs[0].model
    (instruct,) = (model for model in given if model != base)
    notes: list[str] = []
    own = ("input", "non_base")
    scopes: tuple[tuple[str, ...], ...] = (("shared", *own), ("input",), own)
    if method.base_index is None:  # to such a method both models are inputs alike
        scopes = (("shared", *own), own, own)
    both, ours, theirs = (
        _with_effect(method, parameters, whose, allowed, notes)
        for whose, parameters, allowed in zip(
            ("parameters", str(base), str(instruct)),
            (config.parameters, given.get(base), given[instruct]),
            scopes,
            strict=True,
        )
    )
    try:
        method.check(both | ours | theirs, has_alpha=False, written="parameters: ")
        recipe = MergeRecipe(
            base=base.model.path,
            instruct=instruct.model.path,
            base_revision=base.model.revision,
            instruct_revision=instruct.model.revision,
            merge_method=config.merge_method,
            merge_dtype=config.dtype,
            merge_params=both,
            base_params=ours,
            instruct_params=theirs,
            # mergekit leaves a merge in the dtype in which it was made ...
            out_dtype=config.out_dtype or config.dtype,
        )
    except RecipeError as error:
        raise RecipeError(f"recipe={file}: {error}") from None
    # ... which, for some methods, is not the one that was asked for.
    asked = getattr(torch, config.dtype or "bfloat16")
    made = method.result_dtype(asked)
    if config.out_dtype is None and made != asked:
        name = str(made).removeprefix("torch.")
        notes.append(
            f"{method.name} leaves {name} as in mergekit, whatever dtype says; out_dtype changes that"
        )
        recipe = dataclasses.replace(recipe, out_dtype=name)
    return dataclasses.replace(recipe, notes=tuple(notes))


def _check_models(models: list[Any], base: Any, method: TwoModelMethod, file: str | Path) -> None:
    """Refuse what mergekit refuses, and what is no merge of two."""
    listed = ", ".join(map(str, models))
    if len({*models, base} - {None}) != 2:
        raise RecipeError(
            f"recipe={file} merges {len({*models, base} - {None})} models ({listed}). "
            "Expected two: a base and an instruct model."
        )
    if len(models) != len(set(models)):
        raise RecipeError(f"recipe={file} lists a model twice ({listed}). Name each once.")
    policy = method.spec.contract.base.value
    if base is None and policy == "required":
        raise RecipeError(
            f"recipe={file}: {method.name} needs a base_model, which says from where the other one's "
            f"way is measured. Add `base_model: {models[0]}`, or whichever of the two it is."
        )
    if base and policy == "optional":
        raise RecipeError(
            f"recipe={file}: {method.name} with a base_model merges two models besides it. Leave "
            "base_model out and list the two models."
        )
    if policy == "ignored" and base not in (None, models[0]):
        raise RecipeError(
            f"recipe={file}: {method.name} takes the models in the order of the list, whatever "
            f"base_model says. List {base} first."
        )
    try:  # what its contract may say besides; a base that is not listed is added, as it does
        method.spec.contract.validate_ids([*models, *({base} - {None, *models})], base)
    except ValueError as error:
        raise RecipeError(f"recipe={file}: mergekit refuses it: {error}.") from None


def _with_effect(
    method: TwoModelMethod,
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


def _whole_slice(config: Any, file: str | Path) -> list[Any]:
    """The sources of the one slice that spans both models, as mergekit's slerp examples have it."""
    (first, *more) = config.slices
    if not more and first.base_model is None and not first.parameters:
        whole = [
            list(source.layer_range)
            == [0, _opened(source.model, file).config.get("num_hidden_layers")]
            for source in first.sources
        ]
        if all(whole):
            return first.sources
    raise RecipeError(
        f"recipe={file}: slices that rearrange layers are not supported, as the merge must have the "
        "instruct model's architecture. Give `models`, or one slice over all layers of both."
    )


def _opened(reference: Any, file: str | Path) -> Checkpoint:
    _check_plain(reference, file)
    return Checkpoint.open(reference.model.path, reference.model.revision)


def _check_plain(reference: Any, file: str | Path) -> None:
    if reference.lora:
        raise RecipeError(
            f"recipe={file}: {reference} adds a LoRA adapter. Merge the adapter into its model first."
        )


def _plain(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings as plain values; mergekit's filters become dicts again."""

    def plain(setting: Any) -> Any:
        if isinstance(setting, list):
            return [plain(item) for item in setting]
        return setting.model_dump() if hasattr(setting, "model_dump") else setting

    return {name: plain(setting) for name, setting in (parameters or {}).items()}
