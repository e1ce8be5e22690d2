"""What of the harness's model_args makes up the recipe.

>>> given = {"base": "B", "instruct": "I", "alpha": 0.7, "max_model_len": 4096}
>>> take_recipe(None, given).alpha, given
(0.7, {'max_model_len': 4096})
>>> take_recipe("merge.yaml", {"alpha": 0.7})
Traceback (most recent call last):
    ...
hm_models.errors.RecipeError: recipe=merge.yaml says what is merged and how; leave alpha out.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from hm_models.errors import RecipeError
from hm_models.merge.contract import Merge
from hm_models.merge.mergekit_yaml import read_recipe
from hm_models.merge.recipe import MergeRecipe

# Fields of a recipe that only a mergekit YAML fills.
NOT_ARGUMENTS = {"base_params", "instruct_params", "out_dtype", "notes"}

RECIPE_ARGUMENTS = {field.name for field in dataclasses.fields(MergeRecipe)} - NOT_ARGUMENTS


def take_recipe(file: str | None, arguments: dict[str, Any]) -> Merge:
    """Take what makes up the recipe out of `arguments`."""
    given = {name: arguments.pop(name) for name in RECIPE_ARGUMENTS & arguments.keys()}
    if file is None:
        return MergeRecipe(**{"base": None, "instruct": None} | given)
    if given:
        raise RecipeError(
            f"recipe={file} says what is merged and how; leave {', '.join(sorted(given))} out."
        )
    return read_recipe(file)


def with_recipe(own: inspect.Signature) -> inspect.Signature:
    """A method's signature with the recipe, which lies among its `**arguments`, by name; all as keywords."""
    _, *theirs = own.parameters.values()
    of_recipe = [
        parameter
        for name, parameter in inspect.signature(MergeRecipe).parameters.items()
        if name in RECIPE_ARGUMENTS
    ]
    keywords = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in [*of_recipe, *theirs[:-1]]
    ]
    return own.replace(parameters=[*keywords, theirs[-1]])
