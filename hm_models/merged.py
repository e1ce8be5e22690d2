"""`hm-merged`: a merge of two checkpoints as a model of lm-evaluation-harness.

    lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 --tasks mbppplus_passk

The recipe says what is merged, the plan whether it can be, an engine does the generating. Nothing of the
merge is written to disk unless `materialize=true`.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CacheHook, TemplateLM

from hm_models.engines.arguments import check_arguments
from hm_models.engines.choose import choose_engine
from hm_models.engines.sampling_arguments import check_sampling
from hm_models.errors import RecipeError
from hm_models.files.places import samples_file
from hm_models.merge.arguments import RECIPE_ARGUMENTS, take_recipe, with_recipe
from hm_models.merge.contract import Merge, tokenizer_checkpoint
from hm_models.merge.schedule import NO_SCORES
from hm_models.model_info import model_info
from hm_models.plugin.contracts import DrawsModels, KeepsAnswers, StylesPrompts
from hm_models.plugin.versions import refuse_too_old
from hm_models.prompts.calendar_day import day_told, parse_day
from hm_models.prompts.chat_templates import GivenTemplate
from hm_models.prompts.style import Styler, check_style
from hm_models.prompts.tokenizer_source import TokenizerSource
from hm_models.samples.key import Job, ModelKey
from hm_models.samples.sampling import Draw, Sampling
from hm_models.samples.store import SampleStore
from hm_models.samples.thinking import check_thinking

# What the harness asks for its records after a run; not worth the start of an engine.
FOR_THE_RECORD = ("config", "batch_sizes", "max_length", "MULTIMODAL")

logger = logging.getLogger(__name__)


class HindsightMerged(LM, KeepsAnswers, StylesPrompts, DrawsModels):
    """theta = alpha * instruct + (1 - alpha) * base, generating through vLLM or transformers.

    Args:
        base, instruct: folder or hub name of the earlier and the fine-tuned checkpoint, or of a LoRA adapter.
        alpha: weight of `instruct`, a number, a gradient or by module (`hm_models.merge.alpha`).
        base_revision, instruct_revision: branch, tag or commit on the hub.
        merge_method, merge_params: `linear` or what docs/merging.md lists, and its other parameters.
        merge_dtype, merge_seed: precision of the arithmetic; what methods that drop weights draw from.
        extrapolate: take an alpha outside [0, 1].
        recipe: a mergekit YAML, of any number of models, in place of these (`hm_models.merge.mergekit_yaml`).
        materialize: write the merged checkpoint into the cache and load that.
        keep_resident: hold all checkpoints in memory, so that `set_alpha` reads no file.
        backend: `vllm`, `hf`, or `auto`: vLLM where it is installed.
        prompt_style: `chat`, `completion`, or `auto`: completion for the base (alpha 0), else chat, also
            below 0, where no checkpoint is. The harness's `--apply_chat_template`, where given, wins.
        sampling_seed: with document and sample index, what each sample is drawn from.
        chat_template: a Jinja file, or a name of `hm_models.prompts.chat_templates` such as `vicuna`, for
            checkpoints that have none; where given it wins.
        self_test: read a few tensors back from the engine after each load and change of alpha, and refuse
            to answer with wrong ones (`hm_models.engines.self_test`).
        chat_date: YYYY-MM-DD, the day that chat templates are told (`hm_models.prompts.calendar_day`).
        arguments: what the harness's class of the backend takes besides, by its names, such as `dtype`,
            `batch_size` and `max_model_len` (`hm_models.engines.arguments`).

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
        sampling_seed: int = 0,
        chat_date: str | None = None,
        chat_template: str | None = None,
        self_test: bool = True,
        **arguments: Any,
    ) -> None:
        refuse_too_old()
        super().__init__()
        if "pretrained" in arguments:
            raise RecipeError("hm-merged takes base= and instruct= in place of pretrained=.")
        engine = choose_engine(backend, arguments.get("merge_method"), materialize, keep_resident)
        ours = {*RECIPE_ARGUMENTS, *inspect.signature(HindsightMerged.__init__).parameters}
        check_arguments(engine, arguments, materialize, ours)
        check_thinking(arguments)
        check_style(prompt_style)
        if isinstance(sampling_seed, bool) or not isinstance(sampling_seed, int):
            raise RecipeError(f"sampling_seed={sampling_seed!r}: expected a whole number.")
        if not isinstance(self_test, bool):
            raise RecipeError(f"self_test={self_test!r}: expected true or false.")
        self._chat_date = parse_day(chat_date)
        self._given_template = GivenTemplate.of(chat_template)
        merge = take_recipe(recipe, arguments)
        known = engine.known_arguments()
        arguments = {name: value for name, value in arguments.items() if name in known}
        self.engine = engine(merge, arguments, materialize, keep_resident, self_test)
        for remark in (*self.engine.plan.remarks, *merge.remarks):
            logger.warning("hm-merged: %s", remark)
        self.sampling_seed = sampling_seed
        self._asked_style = prompt_style
        self._styler = Styler()
        self._opened_store: SampleStore | None = None
        self.keep_samples_in(samples_file())

    # What `help` and editors show: the merge's arguments by name, which lie among `arguments`.
    __signature__: ClassVar = with_recipe(inspect.signature(__init__))

    @property
    def recipe(self) -> Merge:
        return self.engine.recipe

    @property
    def lm(self) -> TemplateLM:
        """The harness's backend class with the weights, loaded when first needed."""
        self.start()
        return self.engine.lm

    def start(self) -> None:
        """Load the weights into an engine, where none has them; raises as the engine does."""
        if not self.engine.is_loaded:
            self.engine.start()

    @property
    def prompt_style(self) -> str:
        """`chat` or `completion`, at the present alpha."""
        if self._asked_style == "auto":
            return "completion" if self.recipe.alpha == 0.0 else "chat"
        return self._asked_style

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
        self.engine.set_alpha(alpha)

    # The harness asks its models for more than `LM` declares (max_length, batch sizes,
    # accelerator ...), so whatever is not ours is the backend's.
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "engine":
            raise AttributeError(name)  # a copy or pickle in the making, or a failed __init__
        if name in FOR_THE_RECORD and not self.engine.is_loaded:
            raise AttributeError(f"{name}: no engine was needed")
        return getattr(self.lm, name)

    @property
    def rank(self) -> int:
        return self.lm.rank if self.engine.is_distributed else 0

    @property
    def world_size(self) -> int:
        return self.lm.world_size if self.engine.is_distributed else 1

    @property
    def device(self) -> Any:
        return self.lm.device

    # What `LM` does by itself is right for one process; of several, each would report its own part.

    def all_gather(self, tensor: Any) -> Any:
        return self.lm.all_gather(tensor) if self.engine.is_distributed else tensor

    def gather_object(self, obj: Any, dst: int = 0) -> Any:
        return self.lm.gather_object(obj, dst) if self.engine.is_distributed else [obj]

    def barrier(self) -> None:
        if self.engine.is_distributed:
            self.lm.barrier()

    @property
    def tokenizer_source(self) -> TokenizerSource:
        """Tokenizer and chat template at the present alpha."""
        folder = tokenizer_checkpoint(self.recipe).folder
        if folder not in self._tokenizer_sources:
            arguments = self.engine.arguments
            self._tokenizer_sources[folder] = TokenizerSource(
                *(folder, arguments, self.engine.template_arguments(arguments)),
                self._given_template,
                day_of=lambda template: day_told(self._chat_date, self._store, template),
            )
        return self._tokenizer_sources[folder]

    @property
    def tokenizer(self) -> Any:
        return self.tokenizer_source.tokenizer

    @property
    def eot_token_id(self) -> int | None:
        return self.tokenizer.eos_token_id

    @property
    def tokenizer_name(self) -> str:
        return self.tokenizer_source.name

    def apply_chat_template(
        self, chat_history: list[dict[str, Any]], add_generation_prompt: bool = True
    ) -> str:
        """A conversation as a prompt, which is asked as it is from then on."""
        prompt = self.tokenizer_source.render(chat_history, add_generation_prompt)
        return self._styler.note_rendered(prompt)

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        return self.tokenizer_source.template(chat_template)

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn and kept, at the present alpha."""
        self.engine.refuse_if_broken()
        given = self._given_template
        told = {} if given is None else {"chat_template": given.sha256}
        key = ModelKey.of(self.recipe, self.engine.name, self.engine.arguments | told)
        key = dataclasses.replace(key, thinking=self.tokenizer_source.thinking)
        return Sampling(self._store, key, self.sampling_seed)

    @property
    def _store(self) -> SampleStore:
        if self._opened_store is None:
            self._opened_store = self._open_store(self._samples_file)
        return self._opened_store

    def _open_store(self, file: Path) -> SampleStore:
        return SampleStore(file)

    def keep_samples_in(self, file: Path) -> None:
        """Keep answers in this file: what the harness's `--use_cache` means for this model."""
        self._samples_file = file
        self._opened_store = None
        # They may have told templates the day that is kept in the file before.
        self._tokenizer_sources: dict[Path, TokenizerSource] = {}

    def set_cache_hook(self, cache_hook: CacheHook) -> None:
        if cache_hook.dbdict is not None:
            raise RecipeError(
                "The harness's CachingLM tells neither models nor samples apart, so hm-merged keeps "
                "its answers itself: use keep_samples_in(FILE), or --use_cache without HM_AUTOLOAD=0."
            )

    def known(self, requests: list[Instance]) -> int:
        """How many of these requests have an answer that is kept; nothing is generated."""
        self._style([r for r in requests if r.request_type == "generate_until"])
        return self.sampling.known(requests)

    def _style(self, requests: list[Instance]) -> None:
        self._styler.apply(requests, self.prompt_style, self.tokenizer_source.render)

    def _loaded(self, jobs: Sequence[Job]) -> Draw:
        self.engine.prepare(jobs)
        self.start()
        return self.engine.sample

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        self._style(requests)
        for settings in {repr(r.args[1]): r.args[1] for r in requests}.values():
            check_sampling(self.engine, settings)
        return self.sampling.answers(requests, self._loaded, disable_tqdm)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        return self._scores("loglikelihood", requests)

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        return self._scores("loglikelihood_rolling", requests)

    @property
    def draws_when_greedy(self) -> bool:
        """Whether greedy answers to one prompt differ, as it is drawn which of two models writes."""
        return self.recipe.schedule is not None and self.recipe.schedule.is_random

    def refuse_scores(self) -> None:
        """Raise RecipeError where the model gives no probability to a text that is there already."""
        if self.recipe.schedule is not None:
            raise RecipeError(NO_SCORES)

    def _scores(self, kind: str, requests: list[Instance]) -> list:
        self.refuse_scores()
        self._styler.look_at(requests)
        return self.sampling.scores(kind, requests, lambda: self.lm)

    def get_model_info(self) -> dict[str, Any]:
        """What the harness puts into `config` of results_*.json: enough to repeat the merge."""
        day = self.tokenizer_source.day
        asked = {
            "prompt_style": "harness" if self._styler.by_harness else self.prompt_style,
            "chat_date": str(day) if day else None,
            "chat_template": self._given_template and self._given_template.to_dict(),
        }
        return model_info(self.engine, asked, self.sampling_seed, self._samples_file)
