"""The one running model that answers wherever the harness asks for `hm-merged`.

    with LiveModel() as live:
        ...  # lm_eval runs, each with another alpha: one engine serves them

The harness makes its model by `create_from_arg_obj` (or `_string`) of the class in its registry. While
a `LiveModel` is entered, these give the model of the run before, brought to the new alpha, if nothing
but alpha differs; else that engine is ended before another model is made.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.utils import simple_parse_args_string

from hm_models.files.places import samples_file
from hm_models.merge.alpha import parse_alpha
from hm_models.merged import HindsightMerged
from hm_models.samples.key import ModelKey
from hm_models.samples.store import SampleStore


@dataclasses.dataclass
class Spent:
    """What a model has done so far: engines started, samples and tokens generated, and seconds."""

    engines: int = 0
    samples: int = 0
    tokens: int = 0
    loading: float = 0.0
    generating: float = 0.0


class _CountedStore(SampleStore):
    """A store that notes what is put into it."""

    def __init__(self, file: Any, spent: Spent) -> None:
        super().__init__(file)
        self._spent = spent

    def put(self, model: ModelKey, answers: Any) -> None:
        super().put(model, answers)
        self._spent.samples += len(answers)
        self._spent.tokens += sum(answer.facts.get("tokens", 0) for _, _, answer in answers)


class LiveMerged(HindsightMerged):
    """hm-merged for several runs, one after the other."""

    def __init__(self, **arguments: Any) -> None:
        self.spent = Spent()
        super().__init__(**arguments)

    def begin_run(self, alpha: object) -> None:
        """Become what a new model at `alpha` would be, in the same engine where it can be."""
        self.keep_samples_in(
            samples_file()
        )  # the harness calls it again where --use_cache is given
        if self.recipe.alpha != (None if alpha is None else parse_alpha(alpha)):
            started = time.monotonic()
            self.set_alpha(alpha)
            self.spent.loading += time.monotonic() - started

    def shut_down(self) -> None:
        """End the engine and free what it holds."""
        self.engine.shut_down()

    def _open_store(self, file: Path) -> SampleStore:
        return _CountedStore(file, self.spent)

    @property
    def lm(self) -> TemplateLM:
        if not self.engine.is_loaded:
            started = time.monotonic()
            loaded = self.engine.lm
            self.spent.engines += 1
            self.spent.loading += time.monotonic() - started
            return loaded
        return self.engine.lm

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        started, loading = time.monotonic(), self.spent.loading
        try:
            return super().generate_until(requests, disable_tqdm)
        finally:
            loaded = self.spent.loading - loading
            self.spent.generating += time.monotonic() - started - loaded


class LiveModel:
    """At most one `LiveMerged` at a time; entered, it answers for the class `HindsightMerged`."""

    def __init__(self) -> None:
        self.model: LiveMerged | None = None
        self._arguments: dict[str, Any] = {}

    def __enter__(self) -> LiveModel:
        live = self

        def create_from_arg_obj(cls, arg_dict, additional_config=None):
            more = {k: v for k, v in (additional_config or {}).items() if v is not None}
            return live.at({**arg_dict, **more})

        def create_from_arg_string(cls, arg_string, additional_config=None):
            return create_from_arg_obj(cls, simple_parse_args_string(arg_string), additional_config)

        HindsightMerged.create_from_arg_obj = classmethod(create_from_arg_obj)  # type: ignore
        HindsightMerged.create_from_arg_string = classmethod(create_from_arg_string)  # type: ignore
        return self

    def __exit__(self, *_: object) -> None:
        # What they hide is the harness's own, of the class above.
        del HindsightMerged.create_from_arg_obj, HindsightMerged.create_from_arg_string
        self.shut_down()

    def at(self, arguments: dict[str, Any]) -> LiveMerged:
        """The model with these arguments of hm-merged.

        Raises:
            RecipeError, CheckpointError: as for the model itself.
        """
        alpha = arguments.get("alpha")
        others = {key: value for key, value in arguments.items() if key != "alpha"}
        # A materialised merge lies on the disk, one for each alpha.
        if self.model is None or others != self._arguments or others.get("materialize"):
            self.shut_down()
            self.model, self._arguments = LiveMerged(**arguments), others
        else:
            self.model.begin_run(alpha)
        return self.model

    def shut_down(self) -> None:
        """End the engine, if there is one; the next run gets a new model."""
        model, self.model = self.model, None
        if model is None:
            return
        model.shut_down()
        del model
        gc.collect()  # models and their engines point at each other
        import torch

        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
