"""The points of a sweep: each one a run of `lm_eval run` with a folder of its own.

>>> from hm_models.sweep.config import read_config
>>> config = read_config({"base": "B", "instruct": "org/I", "tasks": ["t"], "alphas": [0.7, 0]})
>>> [point.label for point in points_of(config)]
['I/alpha0', 'I/alpha0.7']

They stand in the order in which they are run: what one engine can serve stands together, and alpha 0,
whose tokenizer may be another one, stands first. Stages of one base come one after the other, and alpha 1,
which is the same model for all of them, once:

>>> config = read_config({"bases": ["a", "b"], "instruct": "I", "tasks": ["t"], "alphas": [0, 0.5, 1]})
>>> [point.label for point in points_of(config)]
['I/a/alpha0', 'I/b/alpha0', 'I/a/alpha0.5', 'I/alpha1', 'I/b/alpha0.5']
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hm_models.merge.alpha import Alpha
from hm_models.plugin.run_name import run_name
from hm_models.samples.sampler import Sampler
from hm_models.sweep.config import SweepConfig, SweptMethod
from hm_models.sweep.pairs import Pair

# The harness's settings that say how a run goes or who is told of it; they shape no result.
NOT_SHAPING = (
    "output_path",
    "log_samples",
    "batch_size",
    "max_batch_size",
    "device",
    "use_cache",
    "confirm_run_unsafe_code",
    "wandb_args",
    "wandb_config_args",
    "trackio_args",
    "hf_hub_log_args",
)


@dataclasses.dataclass(frozen=True)
class Point:
    """One pair, one method, one alpha, one sampler."""

    pair: Pair
    method: SweptMethod
    alpha: Alpha | int
    sampler: Sampler

    @property
    def name(self) -> str:
        """`alpha0.7`, `alpha0.7--ties--density-0.5--temperature0.8`: the point within its pair."""
        named = {"base": "b", "instruct": "i", **self._merge()}
        name = str(run_name(named)).removeprefix("b--i--")
        return "--".join(filter(None, (name, self.sampler.name)))

    @property
    def label(self) -> str:
        """`PAIR/POINT` or `PAIR/STAGE/POINT`: the point's folder under the sweep's."""
        of_all_stages = self.alpha == 1
        return f"{self.pair.name if of_all_stages else self.pair.label}/{self.name}"

    @property
    def engine(self) -> str:
        """What points must have in common for one engine to serve them."""
        return json.dumps([self.pair.name, dataclasses.asdict(self.method)])

    def _merge(self) -> dict[str, Any]:
        merge: dict[str, Any] = {"alpha": self.alpha}
        if self.method.name != "linear":
            merge["merge_method"] = self.method.name
        if self.method.params:
            merge["merge_params"] = dict(self.method.params)
        return merge

    def model_args(self, config: SweepConfig) -> dict[str, Any]:
        """The arguments of hm-merged."""
        pair: dict[str, Any] = {"base": self.pair.base, "instruct": self.pair.instruct}
        for key in ("base_revision", "instruct_revision"):
            if (revision := getattr(self.pair, key)) is not None:
                pair[key] = revision
        if config.extrapolate:
            pair["extrapolate"] = True
        return {**pair, **self._merge(), **config.model_args, **self.pair.model_args}

    def run_arguments(self, config: SweepConfig, out: Path) -> dict[str, Any]:
        """The settings of `lm_eval run` for this point, by the harness's names, as plain JSON."""
        arguments = {
            **config.harness,
            "model": "hm-merged",
            "model_args": self.model_args(config),
            "tasks": list(config.tasks),
            "metadata": {**config.metadata, **self.sampler.metadata()},
            "gen_kwargs": {**self.sampler.gen_kwargs(), **config.gen_kwargs},
            "log_samples": True,
            "output_path": str(out / self.label),
        }
        for logger in ("wandb_args", "trackio_args"):
            if logger in arguments:  # else its runs would all have a random name
                arguments[logger] = {"name": self.label, **arguments[logger]}
        if "batch_size" in arguments:  # a text, as on a command line
            arguments["batch_size"] = str(arguments["batch_size"])
        arguments = {key: value for key, value in arguments.items() if value not in ({}, None)}
        return json.loads(json.dumps(arguments))


def points_of(config: SweepConfig) -> list[Point]:
    """All points, in the order in which they are run."""
    stages: dict[str, list[Pair]] = {}
    for pair in config.pairs:
        stages.setdefault(pair.name, []).append(pair)
    return [
        Point(pair, method, alpha, sampler)
        for found in stages.values()
        for method in config.methods
        for pair, alpha in _in_order(found, config.alphas)
        for sampler in config.samplers
    ]


def _in_order(
    stages: Sequence[Pair], alphas: Sequence[Alpha | int]
) -> Iterator[tuple[Pair, Alpha | int]]:
    """Alpha 0 of all stages, whose tokenizer may be another one; then stage by stage; alpha 1 once."""
    if 0 in alphas:
        yield from ((stage, 0) for stage in stages)
    for stage in stages:
        for alpha in alphas:
            if alpha != 0 and (alpha != 1 or stage is stages[0]):
                yield stage, alpha


def shaping(arguments: dict[str, Any]) -> dict[str, Any]:
    """What of `lm_eval run`'s settings shapes the results."""
    return {key: value for key, value in arguments.items() if key not in NOT_SHAPING}


def gpus_of(point: Point, config: SweepConfig) -> int:
    """How many GPUs the point's engine spreads over."""
    arguments = point.model_args(config)
    size = 1
    for key in ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"):
        size *= int(arguments.get(key, 1))
    return size
