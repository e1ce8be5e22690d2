"""Merges of two checkpoints as models of lm-evaluation-harness.

from hm_models import MergeRecipe, merged_tensors

for name, tensor in merged_tensors(MergeRecipe(base="B", instruct="I", alpha=0.7)):
    ...

from hm_models import HindsightMerged

lm_eval.simple_evaluate(HindsightMerged(base="B", instruct="I", alpha=0.7), tasks=["mbppplus_passk"])
"""

TYPE_CHECKING = False  # as mypy takes it; every interpreter of the environment imports this package
if TYPE_CHECKING:
    from hm_models.merge.recipe import MergeRecipe
    from hm_models.merge.stream import merged_tensors
    from hm_models.merged import HindsightMerged

_PUBLIC = {
    "HindsightMerged": "hm_models.merged",
    "MergeRecipe": "hm_models.merge.recipe",
    "merged_tensors": "hm_models.merge.stream",
}
__all__ = ["HindsightMerged", "MergeRecipe", "merged_tensors"]


def __getattr__(name: str) -> object:
    # torch and the harness come later.
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
