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

from hm_models.backends import choose_backend, load_hf, load_vllm
from hm_models.preflight import plan_merge
from hm_models.recipe import MergeRecipe, RecipeError
from hm_models.writer import materialise

PROMPT_STYLES = ("auto", "chat", "completion")
REPORTED_PACKAGES = ("hindsight-merging", "mergekit", "torch", "transformers", "vllm", "lm_eval")

logger = logging.getLogger(__name__)


class HindsightMerged(LM):
    """theta = alpha * instruct + (1 - alpha) * base, generating through vLLM or transformers.

    Args:
        base, instruct, alpha, base_revision, instruct_revision, merge_method, merge_dtype: the
            merge, see `hm_models.recipe.MergeRecipe`.
        materialize: write the merged checkpoint into the cache and load that.
        backend: `vllm`, `hf`, or `auto`: vLLM where it is installed.
        prompt_style: `chat`, `completion`, or `auto`: chat for alpha > 0, completion for the base.
            The harness's `--apply_chat_template`, where given, wins.
        arguments: everything else goes to the harness's backend class as it is.

    Raises:
        RecipeError, CheckpointError: bad input, before any weight is loaded.
    """

    def __init__(
        self,
        base: str | None = None,
        instruct: str | None = None,
        alpha: float | str | None = None,
        base_revision: str | None = None,
        instruct_revision: str | None = None,
        merge_method: str = "linear",
        merge_dtype: str = "float32",
        materialize: bool = False,
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
        if not isinstance(materialize, bool):
            raise RecipeError(f"materialize={materialize!r}: expected true or false.")
        self.recipe = MergeRecipe(
            base=base,  # type: ignore[arg-type]  # the recipe says what is missing
            instruct=instruct,  # type: ignore[arg-type]
            alpha=alpha,  # type: ignore[arg-type]
            base_revision=base_revision,
            instruct_revision=instruct_revision,
            merge_method=merge_method,
            merge_dtype=merge_dtype,
        )
        self.backend_name = choose_backend(backend)
        self.plan = plan_merge(self.recipe)
        for remark in self.plan.remarks:
            logger.warning("hm-merged: %s", remark)
        self.prompt_style = prompt_style
        if prompt_style == "auto":
            self.prompt_style = "completion" if self.recipe.alpha == 0.0 else "chat"
        # Set when the harness applies the template itself (--apply_chat_template).
        self._harness_applies_template = False
        self._materialize = materialize
        self._arguments = arguments

    @cached_property
    def lm(self) -> TemplateLM:
        """The backend with the weights, loaded when first needed.

        Tasks are loaded after the model is made, so whatever they refuse (a k above n, a missing data
        set) is said before the minutes that an engine takes to start.
        """
        recipe = self.recipe
        folder = recipe.end.folder if recipe.end else None
        if folder is None and self._materialize:
            folder = materialise(recipe, self.plan)
        load = {"vllm": load_vllm, "hf": load_hf}[self.backend_name]
        logger.info(
            "hm-merged: alpha=%g, %s weights on %s, %s prompts",
            recipe.alpha,
            self.weights,
            self.backend_name,
            self.prompt_style,
        )
        try:
            lm = load(recipe, self.plan, folder, self._arguments)
        except AttributeError as error:
            # Python would take it for a missing attribute of ours and ask __getattr__ below.
            raise RuntimeError(f"the {self.backend_name} backend did not load: {error}") from error
        lm.set_cache_hook(self.cache_hook)
        return lm

    @property
    def weights(self) -> str:
        """Where the weights come from: `checkpoint` (alpha 0 or 1), `materialised`, `streamed`."""
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
