"""Two models that answer as one, as engines: on transformers, without merged weights of the two.

`merge_method=mix` mixes their probabilities (`mix.py`), `switch` lets now one, now the other write
the next token (`switch.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.headers import ADAPTER_CONFIG
from hm_models.checkpoints.tokenizer import load_tokenizer
from hm_models.engines.hf import TO_SPREAD, HfEngine
from hm_models.engines.self_test import Compared, SelfTest
from hm_models.engines.transformers_model import from_folder
from hm_models.errors import RecipeError
from hm_models.merge.contract import Merge, same_checkpoints
from hm_models.merge.plan import MergePlan
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import MergeStream


class _TwoModelsEngine(HfEngine):
    recipe: MergeRecipe  # no other has two models side by side

    @property
    def weights(self) -> str:
        return "both models"

    def _plain_folder(self) -> Path | None:
        return None

    def why_restart(self, recipe: Merge, plan: MergePlan) -> str | None:
        same = same_checkpoints(recipe, self.recipe)
        return None if same else "the two models that run side by side are others"

    def compare(self, test: SelfTest) -> list[Compared]:
        return []  # there is no merge of the two

    @classmethod
    def reason_against(
        cls, argument: str, arguments: Mapping[str, Any], on_disk: bool
    ) -> str | None:
        if argument in ("parallelize", "tp_plan", *TO_SPREAD):
            return "is not supported for two models side by side, which lie on one device"
        return super().reason_against(argument, arguments, on_disk)

    def _side(self, side: MergeRecipe, given: dict[str, Any]) -> Any:
        """A checkpoint's own model, or that of a merge or of an adapter."""
        whole = side.unmerged
        if whole is None or whole.adapted or whole.is_wrapped:
            return self.merged(side, given)
        return _as_it_is(whole, given)


class MixEngine(_TwoModelsEngine):
    """Both models at every step; another alpha is another weight."""

    def model(self, given: dict[str, Any]) -> Any:
        from hm_models.engines.side_by_side.mix import MixedCausalLM

        alpha = self.recipe.alpha
        assert isinstance(alpha, float), "the recipe allows mix a number alone"
        base, instruct = (self._side(side, given) for side in self.recipe.sides((0.0, 1.0)))
        return MixedCausalLM(base=base, instruct=instruct, alpha=alpha)

    def change(self, recipe: Merge, stream: MergeStream) -> str | None:
        self.lm.model.alpha = recipe.alpha
        return None


class SwitchEngine(_TwoModelsEngine):
    """Two models that write in turn, each one of the pair or a merge of it; it has one alpha, None."""

    def model(self, given: dict[str, Any]) -> Any:
        from hm_models.engines.side_by_side.switch import SwitchedCausalLM

        rule = self.recipe.schedule
        assert rule is not None, "only a recipe that switches comes here"
        first, second = (self._side(side, given) for side in self.recipe.sides(rule.alphas))
        # Of two alphas the higher one is not the base, and carries the instruct model's config.
        like = first if rule.alphas[0] > rule.alphas[1] else second
        named = self.arguments.get("tokenizer") or self.recipe.instruct_checkpoint.folder
        decode: Any = load_tokenizer(str(named)).decode
        return SwitchedCausalLM(first, second, like=like, rule=rule, decode=decode)

    def change(self, recipe: Merge, stream: MergeStream) -> str | None:
        return None

    def seeds_for(self, seeds: Sequence[int | None]) -> dict[str, Any]:
        return {"switch_seeds": seeds}


def _as_it_is(checkpoint: Checkpoint, given: dict[str, Any]) -> Any:
    """A checkpoint's own model."""
    if not checkpoint.is_plain:
        raise RecipeError(
            f"{checkpoint.name} has an {ADAPTER_CONFIG} beside its weights, which transformers would add, or "
            "names in its files that a training's wrappers changed. Two models side by side read "
            "checkpoints as they are: mend that in a copy."
        )
    return from_folder(checkpoint.folder, given)
