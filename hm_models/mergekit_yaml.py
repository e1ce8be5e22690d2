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

from pathlib import Path
from typing import Any

from hm_models.checkpoint import Checkpoint
from hm_models.errors import RecipeError
from hm_models.methods import TwoModelMethod
from hm_models.recipe import MergeRecipe

# What a merge of two like models does not need, and what would change more than weights.
NOT_READ = ("modules", "tokenizer", "tokenizer_source", "chat_template")


def read_recipe(file: str | Path) -> MergeRecipe:
    """Return the recipe of a YAML file.

    Raises:
        RecipeError: the file is missing, no merge configuration, or not a plain merge of two models.
    """
    import yaml
    from mergekit.config import MergeConfiguration

    path = Path(file).expanduser()
    try:
        content = yaml.safe_load(path.read_text())
        config = MergeConfiguration.model_validate(content)
    except OSError as error:
        raise RecipeError(f"recipe={file} cannot be read: {error.strerror}.") from None
    except Exception as error:  # yaml and pydantic raise kinds of their own, mergekit RuntimeError
        reason = " ".join(str(error).split())
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
    # By reference, not by path: two revisions of one repository are two models.
    given = {source.model: source.parameters for source in inputs}
    models = list(given)
    base = config.base_model or models[0]
    others = [model for model in models if model != base]
    if len(others) != 1 or len(models) > 2:
        raise RecipeError(
            f"recipe={file} merges {len({*models, base})} models ({', '.join(map(str, models))}). "
            "Expected two: a base and an instruct model."
        )
    method = TwoModelMethod.named(config.merge_method)
    policy = method.spec.contract.base.value
    if config.base_model and policy == "optional":
        raise RecipeError(
            f"recipe={file}: {method.name} with a base_model merges two models besides it. Leave "
            "base_model out and list the two models."
        )
    if policy == "ignored" and models[0] != base:
        raise RecipeError(
            f"recipe={file}: {method.name} takes the models in the order of the list, whatever "
            f"base_model says. List {base} first."
        )
    instruct = others[0]
    return MergeRecipe(
        base=base.model.path,
        instruct=instruct.model.path,
        base_revision=base.model.revision,
        instruct_revision=instruct.model.revision,
        merge_method=config.merge_method,
        merge_dtype=config.dtype,
        merge_params=_plain(config.parameters),
        base_params=_plain(given.get(base)),
        instruct_params=_plain(given[instruct]),
        # mergekit leaves a merge in the dtype in which it was made.
        out_dtype=config.out_dtype or config.dtype,
    )


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


def _plain(parameters: dict[str, Any] | None) -> dict[str, Any]:
    """Settings as plain values; mergekit's filters become dicts again."""

    def plain(setting: Any) -> Any:
        if isinstance(setting, list):
            return [plain(item) for item in setting]
        return setting.model_dump() if hasattr(setting, "model_dump") else setting

    return {name: plain(setting) for name, setting in (parameters or {}).items()}
