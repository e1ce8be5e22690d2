"""`hm-merged`: a merge of two checkpoints as a model of lm-evaluation-harness.

    lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 --tasks mbppplus_passk

The recipe says what is merged, the preflight whether it can be, a backend of the harness does the
generating. Nothing of the merge is written to disk unless `materialize=true`.
"""

from __future__ import annotations

import logging
import os
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, TemplateLM

from hm_models.arguments import backend_for_mixing, take_recipe
from hm_models.backends import choose_backend, load_hf, load_vllm
from hm_models.errors import RecipeError
from hm_models.live import (
    change_hf,
    change_vllm,
    shut_down_vllm,
    why_reload_hf,
    why_restart,
    why_restart_vllm,
)
from hm_models.mapped import ResidentFiles
from hm_models.preflight import plan_merge
from hm_models.recipe import MIX, MergeRecipe
from hm_models.stream import MergeStream
from hm_models.writer import materialise

PROMPT_STYLES = ("auto", "chat", "completion")
REPORTED_PACKAGES = ("hindsight-merging", "mergekit", "torch", "transformers", "vllm", "lm_eval")

logger = logging.getLogger(__name__)


class HindsightMerged(LM):
    """theta = alpha * instruct + (1 - alpha) * base, generating through vLLM or transformers.

    Args:
        merge: the merge, see `hm_models.recipe.MergeRecipe`: base, instruct, alpha, base_revision,
            instruct_revision, merge_method, merge_dtype, merge_params, merge_seed.
        recipe: a mergekit YAML of two models in place of these (`hm_models.mergekit_yaml`).
        materialize: write the merged checkpoint into the cache and load that.
        keep_resident: hold both checkpoints in memory, so that `set_alpha` reads no file.
        backend: `vllm`, `hf`, or `auto`: vLLM where it is installed.
        prompt_style: `chat`, `completion`, or `auto`: chat for alpha > 0, completion for the base.
            The harness's `--apply_chat_template`, where given, wins.
        arguments: everything else goes to the harness's backend class as it is.

    Raises:
        RecipeError, CheckpointError: bad input, before any weight is loaded.
    """

    def __init__(
        self,
        recipe: str | None = None,
        materialize: bool = False,
        keep_resident: bool = False,
        backend: str = "auto",
        prompt_style: str = "auto",
        **arguments: Any,
    ) -> None:
        super().__init__()
        if "pretrained" in arguments:
            raise RecipeError("hm-merged takes base= and instruct= in place of pretrained=.")
        if prompt_style not in PROMPT_STYLES:
            raise RecipeError(
                f"prompt_style={prompt_style!r} is not known. Known: {', '.join(PROMPT_STYLES)}."
            )
        for name, value in (("materialize", materialize), ("keep_resident", keep_resident)):
            if not isinstance(value, bool):
                raise RecipeError(f"{name}={value!r}: expected true or false.")
        self.recipe = take_recipe(recipe, arguments)
        if self.recipe.merge_method == MIX:
            backend = backend_for_mixing(backend, materialize, keep_resident)
        if materialize and keep_resident:
            raise RecipeError("keep_resident=true serves streamed weights; leave materialize out.")
        self.backend_name = choose_backend(backend)
        self.plan = plan_merge(self.recipe)
        for remark in self.plan.remarks:
            logger.warning("hm-merged: %s", remark)
        self._asked_style = prompt_style
        # Set when the harness applies the template itself (--apply_chat_template).
        self._harness_applies_template = False
        self._materialize = materialize
        self._keep_resident = keep_resident
        self._arguments = arguments
        self._broken: str | None = None

    @property
    def prompt_style(self) -> str:
        """`chat` or `completion`, at the present alpha."""
        if self._asked_style == "auto":
            return "completion" if self.recipe.alpha == 0.0 else "chat"
        return self._asked_style

    @cached_property
    def lm(self) -> TemplateLM:
        """The backend with the weights, loaded when first needed.

        Tasks are loaded after the model is made, so whatever they refuse (a k above n, a missing data
        set) is said before the minutes that an engine takes to start.
        """
        if self._broken:
            raise RuntimeError(self._broken)
        recipe = self.recipe
        folder = None
        if self._materialize:
            folder = recipe.end.folder if recipe.end else materialise(recipe, self.plan)
        logger.info(
            "hm-merged: alpha=%s, %s weights on %s, %s prompts",
            recipe.alpha,
            self.weights,
            self.backend_name,
            self.prompt_style,
        )
        # They go to the backend and stay with it; a new one may want them once more.
        arguments = dict(self._arguments)
        try:
            if self.backend_name == "vllm":
                lm = load_vllm(recipe, self.plan, folder, self._resident_paths, arguments)
            else:
                lm = load_hf(recipe, self.plan, folder, self._stream, arguments)
        except AttributeError as error:
            # Python would take it for a missing attribute of ours and ask __getattr__ below.
            raise RuntimeError(f"the {self.backend_name} backend did not load: {error}") from error
        lm.set_cache_hook(self.cache_hook)
        return lm

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

    def set_alpha(self, alpha: object) -> None:
        """Go to another alpha; what is generated next equals a new model's at that alpha.

        A running engine takes the new weights in place: nothing restarts, compiles or captures
        again. Where the new alpha comes with another tokenizer, config or shape (a base whose files
        differ, at alpha 0), the engine is ended and a new one starts when it is needed.

        Raises:
            RecipeError, CheckpointError: bad input, or a checkpoint that has changed; nothing
                happened, the model is as before.
            Exception: the change failed half-way. The model then refuses to generate until a
                `set_alpha` succeeds, which loads everything anew.
        """
        recipe = self.recipe.with_alpha(alpha)
        if self._materialize:
            raise RecipeError("set_alpha changes streamed weights; leave materialize=true out.")
        for checkpoint in (recipe.base_checkpoint, recipe.instruct_checkpoint):
            checkpoint.check_unchanged()
        recipe.arithmetic_fits([tensor.like for tensor in self.plan.tensors])
        if "lm" in self.__dict__:
            reason = self._why_restart(recipe)
            if reason:
                logger.info("hm-merged: a new engine for alpha=%s, as %s", recipe.alpha, reason)
                self._end_engine()
            else:
                self._change(recipe)
        self.recipe, self._broken = recipe, None

    def _why_restart(self, recipe: MergeRecipe) -> str | None:
        if recipe.merge_method == MIX:
            return None
        if self.backend_name == "vllm" and getattr(self.lm, "data_parallel_size", 1) > 1:
            return "data_parallel_size makes the harness start its engines for each call"
        if reason := why_restart(self.plan, self.recipe, recipe):
            return reason
        if self.backend_name == "vllm":
            return why_restart_vllm(recipe)
        return why_reload_hf(self.lm, self.plan, recipe)

    def _change(self, recipe: MergeRecipe) -> None:
        try:
            if recipe.merge_method == MIX:
                self.lm.model.alpha = recipe.alpha
            elif self.backend_name == "vllm":
                change_vllm(self.lm, recipe)
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

    def _end_engine(self) -> None:
        if self.backend_name == "vllm":
            shut_down_vllm(self.lm)
        del self.__dict__["lm"]

    @property
    def weights(self) -> str:
        """Where the weights come from: `checkpoint` (alpha 0 or 1), `materialised`, `streamed`, or
        `both models` where probabilities are mixed."""
        if self.recipe.merge_method == MIX:
            return "both models"
        if self.recipe.end:
            return "checkpoint"
        return "materialised" if self._materialize else "streamed"

    # The harness asks its models for more than `LM` declares (max_length, batch sizes,
    # accelerator ...), so whatever is not ours is the backend's.
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_arguments" not in self.__dict__:
            raise AttributeError(name)  # a copy or pickle in the making, or a failed __init__
        return getattr(self.lm, name)

    @property
    def _is_distributed(self) -> bool:
        # Under `accelerate launch` each process holds a model and the backend knows its rank.
        return self.backend_name == "hf" and int(os.environ.get("WORLD_SIZE", "1")) > 1

    @property
    def rank(self) -> int:
        return self.lm.rank if self._is_distributed else 0

    @property
    def world_size(self) -> int:
        return self.lm.world_size if self._is_distributed else 1

    @property
    def device(self):
        return self.lm.device

    def set_cache_hook(self, cache_hook) -> None:
        self.cache_hook = cache_hook
        if "lm" in self.__dict__:
            self.lm.set_cache_hook(cache_hook)

    # --- prompts -----------------------------------------------------------------------------

    @property
    def tokenizer_name(self) -> str:
        # Asked for exactly when the harness applies the chat template, cached prompts or not.
        self._harness_applies_template = True
        return self.lm.tokenizer_name

    def apply_chat_template(self, chat_history, add_generation_prompt: bool = True) -> str:
        return self.lm.apply_chat_template(chat_history, add_generation_prompt)

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        return self.lm.chat_template(chat_template)

    def _style_prompts(self, requests: list[Instance]) -> None:
        """Bring requests into the model's prompt style, in place, so that logs show what was sent.

        A request that knows both styles has `use_prompt_style`; any other prompt becomes one user
        turn in chat style.
        """
        if self._harness_applies_template:
            return
        for request in {id(request): request for request in requests}.values():
            if hasattr(request, "use_prompt_style"):
                request.use_prompt_style(self.prompt_style, self.lm.apply_chat_template)
            elif self.prompt_style == "chat":
                # Kept, so that a request which is asked again is not wrapped again.
                prompt, *rest = request.__dict__.setdefault("plain_args", request.args)
                chat = self.lm.apply_chat_template([{"role": "user", "content": prompt}])
                request.arguments = (chat, *rest)

    # --- the three requests of the harness ----------------------------------------------------

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        self._style_prompts(requests)
        return self.lm.generate_until(requests, disable_tqdm=disable_tqdm)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        return self.lm.loglikelihood(requests)

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        return self.lm.loglikelihood_rolling(requests)

    # --- the protocol of a result --------------------------------------------------------------

    def get_model_info(self) -> dict[str, Any]:
        """What the harness puts into `config` of results_*.json: enough to repeat the merge."""
        recipe = self.recipe
        return {
            "merge": recipe.to_dict()
            | {
                "base_revision": recipe.base_checkpoint.revision,
                "instruct_revision": recipe.instruct_checkpoint.revision,
                "base_identity": recipe.base_checkpoint.identity(),
                "instruct_identity": recipe.instruct_checkpoint.identity(),
                "fingerprint": recipe.fingerprint(),
                "weights": self.weights,
                "remarks": list(self.plan.remarks),
            },
            "backend": self.backend_name,
            "prompt_style": "harness" if self._harness_applies_template else self.prompt_style,
            "versions": {name: _version(name) for name in REPORTED_PACKAGES},
        }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
