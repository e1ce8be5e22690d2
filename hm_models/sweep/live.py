"""The one running model of a sweep: each run gets the one before it, brought to the new alpha and base.

    with LiveModel() as live:
        model = live.at({"base": "B", "instruct": "I", "alpha": 0.7})
        model = live.at({"base": "B", "instruct": "I", "alpha": 0.9})     # the same engine
    model = live.at({"base": "B2", "instruct": "I", "alpha": 0.9})    # too, where its shapes allow

Where more differs, that engine is ended before another model is made.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance

from hm_models.files.places import samples_file
from hm_models.merge.recipe import MergeRecipe
from hm_models.merged import HindsightMerged
from hm_models.samples.key import ModelKey
from hm_models.samples.store import SampleStore

# What an engine may change in place.
IN_PLACE = ("alpha", "base", "base_revision")


@dataclasses.dataclass
class RunCost:
    """What a run took: engines started, samples and tokens generated, and seconds."""

    engines: int = 0
    samples: int = 0
    tokens: int = 0
    loading: float = 0.0
    generating: float = 0.0


class _CountedStore(SampleStore):
    """A store that notes what is put into it."""

    def __init__(self, file: Path, spent: RunCost) -> None:
        super().__init__(file)
        self._spent = spent

    def put(self, model: ModelKey, answers: Any) -> None:
        super().put(model, answers)
        self._spent.samples += len(answers)
        self._spent.tokens += sum(answer.facts.get("tokens", 0) for _, _, answer in answers)


class LiveMerged(HindsightMerged):
    """hm-merged for several runs, one after the other."""

    def __init__(self, spent: RunCost, **arguments: Any) -> None:
        self._spent = spent
        super().__init__(**arguments)

    def begin_run(self, arguments: Mapping[str, Any], spent: RunCost) -> None:
        """Become what a new model at this alpha, of this base, would be, in one engine where it can be."""
        self._spent = spent
        self.keep_samples_in(samples_file())  # the harness names another where --use_cache is given
        recipe = self.recipe
        assert isinstance(recipe, MergeRecipe), "sweeps are of pairs"
        base, revision = arguments.get("base"), arguments.get("base_revision")
        if base is not None and (base, revision) != (recipe.base, recipe.base_revision):
            recipe = recipe.with_base(base, revision)
        recipe = recipe.with_alpha(arguments.get("alpha"))
        if recipe != self.recipe:
            started = time.monotonic()
            self.engine.set_recipe(recipe)
            spent.loading += time.monotonic() - started

    def _open_store(self, file: Path) -> SampleStore:
        return _CountedStore(file, self._spent)

    def start(self) -> None:
        if not self.engine.is_loaded:
            started = time.monotonic()
            super().start()
            self._spent.engines += 1
            self._spent.loading += time.monotonic() - started

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        started, before = time.monotonic(), self._spent.loading
        try:
            return super().generate_until(requests, disable_tqdm)
        finally:
            loading = self._spent.loading - before
            self._spent.generating += time.monotonic() - started - loading


class LiveModel:
    """At most one `LiveMerged` at a time; what it does is added to `spent`."""

    def __init__(self) -> None:
        self.spent = RunCost()
        self.model: LiveMerged | None = None
        self._others: dict[str, Any] = {}

    def __enter__(self) -> LiveModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.shut_down()

    def at(self, arguments: Mapping[str, Any]) -> LiveMerged:
        """The model with these arguments of hm-merged.

        Raises:
            RecipeError, CheckpointError: as for the model itself.
        """
        others = {key: value for key, value in arguments.items() if key not in IN_PLACE}
        # A materialised merge lies on the disk, one for each alpha.
        if self.model is None or others != self._others or others.get("materialize"):
            self.shut_down()
            self.model, self._others = LiveMerged(self.spent, **arguments), others
        else:
            self.model.begin_run(arguments, self.spent)
        return self.model

    def shut_down(self) -> None:
        """End the engine, if there is one; the next run gets a new model."""
        model, self.model = self.model, None
        if model is None:
            return
        model.engine.shut_down()
        del model
        gc.collect()  # models and their engines point at each other
        import torch

        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
