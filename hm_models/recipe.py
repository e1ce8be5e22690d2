"""The path of `hm_models.merge.recipe` up to 0.1, kept for scripts that import from it."""

from hm_models.merge.recipe import MergeRecipe

__all__ = ["MergeRecipe"]
