"""What an engine is: a backend of the harness with the weights of one recipe, brought from one to another.

    engine = choose_engine("vllm")(recipe, arguments)
    engine.lm            # the harness's backend class, loaded when first asked for
    engine.set_alpha(0.9)
    engine.set_recipe(engine.recipe.with_base("RUN/checkpoint-500"))

The contract is `load`, `change`, `sample`, `read`, `why_restart` and `shut_down`, and what a backend knows of
its own arguments. The rest is the same for all: when they are called, and that nothing half changed answers.
"""

from __future__ import annotations

import abc
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lm_eval.api.model import TemplateLM

from hm_models.checkpoints.mapped import ResidentFiles
from hm_models.engines.self_test import Compared, SelfTest
from hm_models.errors import RecipeError
from hm_models.merge.contract import Merge, same_checkpoints, tokenizer_checkpoint
from hm_models.merge.plan import MergePlan, plan_merge
from hm_models.merge.stream import MergeStream
from hm_models.merge.writer import materialise
from hm_models.samples.key import Job
from hm_models.samples.request import TokenMeasure
from hm_models.samples.sampling import Taker

OWN_SEEDS = {
    "seed": "would make all samples of a problem equal. Use --model_args sampling_seed=... instead."
}

logger = logging.getLogger(__name__)


class Engine(abc.ABC):
    """A backend with the weights of `recipe`.

    Args:
        recipe: what is merged; the models are checked and planned here, no weight is read.
        arguments: go to the harness's backend class as they are.
        materialize: write the merged checkpoint into the cache and load that.
        keep_resident: hold all checkpoints in memory, so that `set_alpha` reads no file.
        self_test: read a few tensors back after each load and change (`hm_models.engines.self_test`).

    Raises:
        RecipeError, CheckpointError: they cannot be merged.
    """

    name: ClassVar[str]  # as users and stores of samples know the backend
    same_as: ClassVar[Mapping[str, str]]  # what others call otherwise: their name, and ours
    # Parameters of sampling that it does not have, or that are its caller's: why, and what to write.
    no_sampling: ClassVar[Mapping[str, str]]

    def __init__(
        self,
        recipe: Merge,
        arguments: dict[str, Any],
        materialize: bool = False,
        keep_resident: bool = False,
        self_test: bool = True,
    ) -> None:
        self.arguments = arguments
        self.recipe, self.plan = recipe, self._planned(recipe)
        self._materialize = materialize
        self._keep_resident = keep_resident
        self._self_test = self_test
        self._stream: MergeStream | None = None
        self._resident: ResidentFiles | None = None  # what the stream reads; gone with it
        self._lm: Any = None
        self._broken: str | None = None

    # --- the contract ------------------------------------------------------------------------

    @abc.abstractmethod
    def load(self, folder: Path | None, arguments: dict[str, Any]) -> TemplateLM:
        """The harness's model with the recipe's weights.

        Args:
            folder: of a checkpoint that holds them; None streams them (`stream`).
            arguments: a copy, which the backend may keep.
        """

    @abc.abstractmethod
    def change(self, recipe: Merge, stream: MergeStream) -> str | None:
        """Give the running model the weights of `recipe`, in place.

        Args:
            stream: of its pair, which may have another base than the present one.

        Returns:
            Why it did not take all of them: it must not answer any more. None if it did.

        Raises:
            Exception: it failed half-way, and holds the weights of two merges.
        """

    @abc.abstractmethod
    def sample(self, jobs: list[Job], take: Taker) -> None:
        """Generate the answers to `jobs`, and hand each over as it finishes."""

    @abc.abstractmethod
    def read(
        self, pairs: Sequence[tuple[str, str]], measure: type[TokenMeasure], top: int
    ) -> Iterator[TokenMeasure]:
        """Sum up the uncertainty at the tokens of texts that are there, one (prompt, text) after another.

        Args:
            top: how many log-probabilities to ask for where there are no logits.
        """

    @abc.abstractmethod
    def why_restart(self, recipe: Merge, plan: MergePlan) -> str | None:
        """Say why the running model cannot take the weights of `recipe` in place; None if it can."""

    def compare(self, test: SelfTest) -> list[Compared]:
        """Have each process that holds a part of the model take a test; nothing where none can be asked."""
        return []

    def shut_down(self) -> None:
        """End the running model and free what it holds; a new one loads when it is needed."""
        self._lm = None

    @classmethod
    @abc.abstractmethod
    def known_arguments(cls) -> frozenset[str]:
        """The arguments that the backend takes, for whatever weights."""

    @classmethod
    @abc.abstractmethod
    def known_sampling(cls) -> frozenset[str]:
        """The parameters of sampling that the backend takes, by its own names."""

    @classmethod
    def knows(cls, model_type: str) -> bool:
        """Whether there are classes for such models without code of their repositories."""
        from transformers import CONFIG_MAPPING

        return model_type in CONFIG_MAPPING

    @classmethod
    def reason_against(
        cls, argument: str, arguments: Mapping[str, Any], on_disk: bool
    ) -> str | None:
        """Why an argument that it takes has no place beside the others; `on_disk` for `materialize=true`."""
        return None

    @classmethod
    @abc.abstractmethod
    def check_value(cls, argument: str, value: object) -> None:
        """Raise RecipeError for a value that the backend would take for another, or pass over."""

    @classmethod
    @abc.abstractmethod
    def template_arguments(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What the backend passes on to the chat template."""

    def reason_against_sampling(self, name: str, settings: Mapping[str, Any]) -> str | None:
        """Why a parameter of sampling has no place beside the others, or in this engine."""
        return self.no_sampling.get(name)

    def prepare(self, jobs: Sequence[Job]) -> None:  # noqa: B027  (most engines need not)
        """Know what is asked for next, before the model is loaded; end one that cannot do it."""

    @property
    def is_distributed(self) -> bool:
        """Whether several processes hold a model each, and the harness must know which is which."""
        return False

    # --- what is the same for all ---------------------------------------------------------------

    @property
    def is_loaded(self) -> bool:
        return self._lm is not None

    @property
    def lm(self) -> Any:
        """The harness's model with the weights; started when first needed.

        Tasks are loaded after the model is made, so whatever they refuse (a k above n, a missing data
        set) is said before the minutes that an engine takes to start; and a run whose answers are all
        known starts none.
        """
        if self._lm is None:
            self.start()
        return self._lm

    def start(self) -> None:
        """Load the weights into a new model of the harness.

        Raises:
            RuntimeError: a change of alpha failed half-way before, or the backend did not load.
            WrongWeightsError: it holds other weights than the merge's.
        """
        self.refuse_if_broken()
        recipe, folder = self.recipe, None
        if self._materialize:
            as_it_is = recipe.unmerged is not None and recipe.unmerged.is_plain
            folder = recipe.tokenizer_source.folder if as_it_is else materialise(recipe, self.plan)
        logger.info("hm-merged: alpha=%s, %s weights on %s", recipe.alpha, self.weights, self.name)
        arguments = dict(self.arguments)
        if tokenizer_checkpoint(recipe) is not recipe.tokenizer_source:
            arguments.setdefault("tokenizer", str(tokenizer_checkpoint(recipe).folder))
        try:
            self._lm = self.load(folder, arguments)
            self._test(recipe, self.plan)
        except BaseException as error:
            self.shut_down()
            if not isinstance(error, AttributeError):
                raise
            # Python would take it for a missing attribute of the model that holds this engine.
            raise RuntimeError(f"the {self.name} backend did not load: {error}") from error

    def refuse_if_broken(self) -> None:
        """Raise RuntimeError after a change of alpha that failed half-way."""
        if self._broken:
            raise RuntimeError(self._broken)

    @property
    def stream(self) -> MergeStream:
        """The merged tensors, planned and opened once for all alphas."""
        if self._stream is None:
            if self._keep_resident:
                self._resident = ResidentFiles.of(self.recipe.checkpoints)
            paths = self._resident.paths if self._resident else None
            self._stream = MergeStream(self.plan, paths)
        return self._stream

    @property
    def weights(self) -> str:
        """Where the weights come from: `checkpoint` (alpha 0 or 1), `materialised`, `streamed`, or
        `both models` where two run side by side."""
        if self.recipe.unmerged:
            return "checkpoint"
        return "materialised" if self._materialize else "streamed"

    def set_alpha(self, alpha: object) -> None:
        """Go to another alpha; see `HindsightMerged.set_alpha`."""
        self.set_recipe(self.recipe.with_alpha(alpha))

    def set_recipe(self, recipe: Merge) -> None:
        """Go to another alpha, to another base of the same instruct model, or both.

        Of another base the pair is planned anew. Raises as `HindsightMerged.set_alpha`.
        """
        if self._materialize:
            raise RecipeError("set_alpha changes streamed weights; leave materialize=true out.")
        for checkpoint in recipe.checkpoints:
            checkpoint.check_unchanged()
        same_pair = same_checkpoints(recipe, self.recipe)
        if same_pair:
            plan = self.plan
            recipe.arithmetic_fits([tensor.like for tensor in plan.tensors])
        else:
            plan = self._planned(recipe)
        stream: MergeStream | None = None
        if self.is_loaded:
            if reason := self._why_other_files(same_pair) or self.why_restart(recipe, plan):
                logger.info("hm-merged: a new engine for %s, as %s", recipe.label, reason)
                self.shut_down()
            else:
                stream = self.stream if same_pair else MergeStream(plan)
                self._change(recipe, plan, stream)
        if not same_pair:
            self.plan, self._stream, self._resident = plan, stream, None
        self.recipe, self._broken = recipe, None

    def _planned(self, recipe: Merge) -> MergePlan:
        """The plan, of checkpoints that have all that an engine needs."""
        trusted = bool(self.arguments.get("trust_remote_code"))
        for checkpoint in recipe.checkpoints:
            if checkpoint.needs_code and not trusted and not self.knows(checkpoint.model_type):
                raise RecipeError(
                    f"{checkpoint.name} is a {checkpoint.model_type} model, which needs code of its own "
                    "repository (auto_map in its config.json). Read its *.py, and if you trust them, add "
                    "trust_remote_code=true."
                )
        plan = plan_merge(recipe, trusted)
        if not (tokenizer_checkpoint(recipe).has_tokenizer or self.arguments.get("tokenizer")):
            raise RecipeError(
                f"None of {', '.join(recipe.names)} has a tokenizer. Name a folder or a model on the hub "
                "that has theirs: tokenizer=NAME."
            )
        return plan

    def _why_other_files(self, same_pair: bool) -> str | None:
        held = self._keep_resident and not same_pair
        return "keep_resident=true holds the files of one pair" if held else None

    def _change(self, recipe: Merge, plan: MergePlan, stream: MergeStream) -> None:
        try:
            reason = self.change(recipe, stream)
            if reason is None:
                self._test(recipe, plan)
        except BaseException as error:
            self._broken = (
                f"The change to {recipe.label} failed half-way ({type(error).__name__}: "
                f"{error}), so the weights of two merges were mixed and were given up. Call set_alpha "
                "again to load a new model."
            )
            self.shut_down()
            raise
        if reason:
            logger.warning("hm-merged: a new engine for %s, as %s", recipe.label, reason)
            self.shut_down()

    def _test(self, recipe: Merge, plan: MergePlan) -> None:
        if self._self_test and not self._materialize:
            test = SelfTest(recipe, plan, self._resident.paths if self._resident else {})
            test.conclude(self.compare(test))
