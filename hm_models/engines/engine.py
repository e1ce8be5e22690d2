"""The running model: the backend with the weights of one recipe, and its change to another alpha.

    engine = Engine(recipe, "vllm", arguments)
    engine.lm            # the harness's backend class, loaded when first asked for
    engine.set_alpha(0.9)

How each backend takes other weights is in `hm_models.engines.live`; what they are is the recipe's.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from lm_eval.api.model import TemplateLM

from hm_models.checkpoints.mapped import ResidentFiles
from hm_models.engines.backends import load_hf, load_vllm
from hm_models.engines.live import (
    change_hf,
    change_vllm,
    shut_down_vllm,
    tensors_left_vllm,
    why_reload_hf,
    why_restart,
    why_restart_vllm,
)
from hm_models.errors import RecipeError
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MIX, SIDE_BY_SIDE, MergeRecipe
from hm_models.merge.stream import MergeStream
from hm_models.merge.writer import materialise

logger = logging.getLogger(__name__)


class Engine:
    """A backend of the harness with the weights of `recipe`.

    Args:
        recipe: what is merged; the pair is checked here, no weight is read.
        backend: `vllm` or `hf`.
        arguments: go to the harness's backend class as they are.
        materialize: write the merged checkpoint into the cache and load that.
        keep_resident: hold both checkpoints in memory, so that `set_alpha` reads no file.

    Raises:
        RecipeError, CheckpointError: the two cannot be merged.
    """

    def __init__(
        self,
        recipe: MergeRecipe,
        backend: str,
        arguments: dict[str, Any],
        materialize: bool = False,
        keep_resident: bool = False,
    ) -> None:
        self.recipe = recipe
        self.backend = backend
        self.arguments = arguments
        self.plan = plan_merge(recipe)
        self._materialize = materialize
        self._keep_resident = keep_resident
        self._broken: str | None = None
        self._keeps_old_weights: str | None = None

    @property
    def is_loaded(self) -> bool:
        return "lm" in self.__dict__

    @cached_property
    def lm(self) -> TemplateLM:
        """The backend with the weights, loaded when first needed.

        Tasks are loaded after the model is made, so whatever they refuse (a k above n, a missing data
        set) is said before the minutes that an engine takes to start; and a run whose answers are all
        known starts none.
        """
        self.refuse_if_broken()
        recipe = self.recipe
        folder = None
        if self._materialize:
            as_it_is = recipe.unmerged is not None and not recipe.unmerged.has_adapter
            folder = recipe.tokenizer_source.folder if as_it_is else materialise(recipe, self.plan)
        logger.info(
            "hm-merged: alpha=%s, %s weights on %s", recipe.alpha, self.weights, self.backend
        )
        # They go to the backend and stay with it; a new one may want them once more.
        arguments = dict(self.arguments)
        try:
            if self.backend == "vllm":
                lm = load_vllm(recipe, self.plan, folder, self._resident_paths, arguments)
                if folder is None and (left := tensors_left_vllm(lm, recipe)):
                    logger.warning(
                        "hm-merged: vLLM leaves %s tensors of this architecture unread, as in any "
                        "checkpoint of it: %s",
                        len(left),
                        ", ".join(left[:5]),
                    )
                return lm
            return load_hf(recipe, self.plan, folder, self._stream, arguments)
        except AttributeError as error:
            # Python would take it for a missing attribute of the model that holds this engine.
            raise RuntimeError(f"the {self.backend} backend did not load: {error}") from error

    def refuse_if_broken(self) -> None:
        """Raise RuntimeError after a change of alpha that failed half-way."""
        if self._broken:
            raise RuntimeError(self._broken)

    @cached_property
    def _resident_files(self) -> ResidentFiles | None:
        if not self._keep_resident:
            return None
        return ResidentFiles.of((self.recipe.base_checkpoint, self.recipe.instruct_checkpoint))

    @property
    def _resident_paths(self) -> dict[str, str] | None:
        return self._resident_files.paths if self._resident_files else None

    @cached_property
    def _stream(self) -> MergeStream:
        return MergeStream(self.plan, self._resident_paths)

    @property
    def weights(self) -> str:
        """Where the weights come from: `checkpoint` (alpha 0 or 1), `materialised`, `streamed`, or
        `both models` where two run side by side."""
        if self.recipe.merge_method in SIDE_BY_SIDE:
            return "both models"
        if self.recipe.unmerged:
            return "checkpoint"
        return "materialised" if self._materialize else "streamed"

    def set_alpha(self, alpha: object) -> None:
        """Go to another alpha; see `HindsightMerged.set_alpha`."""
        recipe = self.recipe.with_alpha(alpha)
        if self._materialize:
            raise RecipeError("set_alpha changes streamed weights; leave materialize=true out.")
        for checkpoint in (recipe.base_checkpoint, recipe.instruct_checkpoint):
            checkpoint.check_unchanged()
        recipe.arithmetic_fits([tensor.like for tensor in self.plan.tensors])
        if self.is_loaded:
            reason = self._why_restart(recipe)
            if reason:
                logger.info("hm-merged: a new engine for alpha=%s, as %s", recipe.alpha, reason)
                self.shut_down()
            else:
                self._change(recipe)
        self.recipe, self._broken = recipe, None

    def _why_restart(self, recipe: MergeRecipe) -> str | None:
        if recipe.merge_method == MIX:
            return None
        if self.backend == "vllm" and getattr(self.lm, "data_parallel_size", 1) > 1:
            return "data_parallel_size makes the harness start its engines for each call"
        if reason := why_restart(self.plan, self.recipe, recipe):
            return reason
        if self.backend == "vllm":
            if {"quantization", "quantization_config"} & self.arguments.keys():
                return "vLLM quantises weights while an engine starts"
            return self._keeps_old_weights or why_restart_vllm(recipe)
        return why_reload_hf(self.lm, self.plan, recipe)

    def _change(self, recipe: MergeRecipe) -> None:
        try:
            if recipe.merge_method == MIX:
                self.lm.model.alpha = recipe.alpha
            elif self.backend == "vllm":
                if reason := change_vllm(self.lm, recipe):
                    logger.warning(
                        "hm-merged: a new engine for alpha=%s, as %s", recipe.alpha, reason
                    )
                    self._keeps_old_weights = reason
                    del self.__dict__["lm"]
            else:
                change_hf(self.lm, self._stream, recipe)
        except BaseException as error:
            self._broken = (
                f"The change to alpha={recipe.alpha} failed half-way ({type(error).__name__}: "
                f"{error}), so the weights of two alphas were mixed and were given up. Call set_alpha "
                "again to load a new model."
            )
            del self.__dict__["lm"]
            raise

    def shut_down(self) -> None:
        """End a running backend and free what it holds; a new one loads when it is needed."""
        if self.is_loaded:
            if self.backend == "vllm":
                shut_down_vllm(self.lm)
            del self.__dict__["lm"]
