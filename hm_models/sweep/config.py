"""What a sweep is made of: pairs with their stages, alphas, methods, samplers, tasks. Frozen, validated.

>>> config = read_config({"base": "B", "instruct": "org/I", "tasks": ["mbppplus_passk"]})
>>> config.pairs[0].name, config.alphas
('I', (0, 0.7, 0.9, 1))

The settings come from a YAML, from flags, or from both (`hm_models.sweep.flags`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hm_models.errors import RecipeError
from hm_models.files.text_files import TextFileError
from hm_models.files.yaml_files import read_yaml
from hm_models.merge.alpha import Alpha, parse_alpha
from hm_models.samples.sampler import TEMPERATURE, Sampler
from hm_models.sweep.given import SweepError, list_of, mapping_of, refuse_unknown
from hm_models.sweep.pairs import PAIR_KEYS, Pair, pairs_of, refuse_arguments

DEFAULT_ALPHAS = (0, 0.7, 0.9, 1)
# What goes to `lm_eval run` as it is, by the harness's names (lm_eval/config/evaluate_config.py).
HARNESS_KEYS = (
    "limit",
    "samples",
    "num_fewshot",
    "repeats",
    "batch_size",
    "max_batch_size",
    "device",
    "use_cache",
    "include_path",
    "apply_chat_template",
    "fewshot_as_multiturn",
    "system_instruction",
    "seed",
    "predict_only",
    "trust_remote_code",
    "confirm_run_unsafe_code",
    "wandb_args",
    "wandb_config_args",
    "trackio_args",
    "hf_hub_log_args",
)
MAPPINGS = ("model_args", "metadata", "gen_kwargs")
LISTS = ("alphas", "methods", "samplers", "temperatures", "tasks")
HARNESS_MAPPINGS = tuple(key for key in HARNESS_KEYS if key.endswith("_args"))
KEYS = (*PAIR_KEYS, "name", "pairs", "extrapolate", *LISTS, *MAPPINGS, *HARNESS_KEYS)


@dataclasses.dataclass(frozen=True)
class SweptMethod:
    """A merge method with its parameters (`merge_method`, `merge_params`)."""

    name: str = "linear"
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """Everything that is asked for; `read_config` makes it of settings.

    Attributes:
        extrapolate: whether alphas may lie outside [0, 1].
        samplers: one without parameters is the task's own.
        harness: what `lm_eval run` gets as it is, by its own names.
    """

    pairs: tuple[Pair, ...]
    tasks: tuple[str, ...]
    alphas: tuple[Alpha | int, ...] = DEFAULT_ALPHAS
    methods: tuple[SweptMethod, ...] = (SweptMethod(),)
    samplers: tuple[Sampler, ...] = (Sampler(),)
    extrapolate: bool = False
    model_args: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    gen_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    harness: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def read_settings(file: Path) -> dict[str, Any]:
    """The settings of a YAML file, unchecked.

    Raises:
        SweepError: it cannot be read, is no YAML, or no mapping.
    """
    try:
        settings = read_yaml(file)
    except OSError as error:
        raise SweepError(
            f"{file}: it cannot be read ({error.strerror}). Give a sweep's YAML, as those in configs/."
        ) from None
    except TextFileError as error:
        raise SweepError(f"{error} Expected a sweep's YAML, as those in configs/.") from None
    if not isinstance(settings, dict):
        raise SweepError(f"{file}: expected `key: value` lines, as in configs/demo.yaml.")
    return settings


def read_config(settings: Mapping[str, Any]) -> SweepConfig:
    """Check settings and return them as a sweep.

    Raises:
        SweepError: an unknown key (the message names the nearest), a missing one, or a bad value.
    """
    refuse_unknown(settings, KEYS, "the sweep")
    given = {key: value for key, value in settings.items() if value is not None}
    mappings = {key: mapping_of(key, given.get(key, {})) for key in MAPPINGS}
    refuse_arguments(mappings["model_args"], "model_args")
    tasks = list_of("tasks", given.get("tasks", []))
    tasks = [name for task in tasks for name in str(task).split(",") if name]
    if not tasks:
        raise SweepError("tasks: none given. Name at least one, for example tasks: [demo_passk].")
    samplers = _samplers(given, mappings)
    harness = {key: given[key] for key in HARNESS_KEYS if key in given}
    for key in HARNESS_MAPPINGS:
        if key in harness:
            harness[key] = mapping_of(key, harness[key])
    if "limit" in harness and "samples" in harness:
        raise SweepError("limit and samples exclude each other. Leave one of them out.")
    extrapolate = given.get("extrapolate", False)
    if not isinstance(extrapolate, bool):
        raise SweepError(f"extrapolate={extrapolate!r}: expected true or false.")
    asked = list_of("alphas", given.get("alphas", DEFAULT_ALPHAS))
    alphas = [_alpha(alpha, extrapolate) for alpha in asked]
    methods = [_method(m) for m in list_of("methods", given.get("methods", ["linear"]))]
    return SweepConfig(
        pairs=_distinct("pairs", pairs_of(given)),
        tasks=tuple(dict.fromkeys(tasks)),
        alphas=_distinct("alphas", alphas),
        methods=_distinct("methods", methods),
        samplers=_distinct("samplers", samplers),
        extrapolate=extrapolate,
        harness=harness,
        **mappings,
    )


def _alpha(given: object, extrapolate: bool) -> Alpha | int:
    try:
        alpha = parse_alpha(given, extrapolate)
    except RecipeError as error:
        raise SweepError(f"alphas: {error}") from None
    # Whole numbers are written as such, as on a command line: the folder is alpha1, not alpha1.0.
    return int(alpha) if isinstance(alpha, float) and alpha.is_integer() else alpha


def _samplers(given: Mapping[str, Any], mappings: Mapping[str, Mapping[str, Any]]) -> list[Sampler]:
    """Those of `samplers`, or of its short form `temperatures`; else the task's own."""
    key = "samplers" if "samplers" in given else "temperatures"
    if {"samplers", "temperatures"} <= given.keys():
        raise SweepError(
            "temperatures: [0.7] is short for samplers: [{temperature: 0.7}], and both are there. Leave one "
            "of them out."
        )
    asked = list_of(key, given.get(key, []))
    if key == "temperatures":
        asked = [{TEMPERATURE: temperature} for temperature in asked]
    samplers = []
    for entry in asked:
        if not isinstance(entry, Mapping):
            raise SweepError(
                f"samplers: {entry!r} is none. Write {{temperature: 0.7, top_p: 0.9}}."
            )
        try:
            samplers.append(Sampler.of({str(name): _number(v) for name, v in entry.items()}))
        except RecipeError as error:
            raise SweepError(f"{key}: {error}") from None
    named = dict.fromkeys(name for sampler in samplers for name, _ in sampler.parameters)
    for place in ("gen_kwargs", "metadata"):
        if twice := [name for name in named if name in mappings[place]]:
            raise SweepError(
                f"{' and '.join(twice)} stands in {place} and in {key}. Leave one of them out."
            )
    return samplers or [Sampler()]


def _number(given: object) -> object:
    """What YAML takes for a text (`1e-1`) as the number that it is."""
    try:
        return json.loads(given) if isinstance(given, str) else given
    except ValueError:
        return given


def _method(given: object) -> SweptMethod:
    if isinstance(given, Mapping):
        refuse_unknown(given, ("name", "params"), "an entry of methods")
        if not isinstance(given.get("name"), str):
            raise SweepError("methods: an entry has no name. Write {name: ties, params: {...}}.")
        return SweptMethod(
            given["name"], mapping_of("params of methods", given.get("params") or {})
        )
    if not isinstance(given, str):
        raise SweepError(f"methods: {given!r} is neither a name nor {{name: ..., params: ...}}.")
    return SweptMethod(given)


def _distinct(key: str, given: list[Any]) -> tuple[Any, ...]:
    """Each stands there once, as each point has a folder of its own; pairs by name."""
    seen: list[str] = []
    for entry in given:
        name = _named(entry)
        if name in seen:
            also = " Give each pair a name of its own (name: ...)." if key == "pairs" else ""
            raise SweepError(
                f"{key}: {name} stands there twice. Each point has a folder of its own.{also}"
            )
        seen.append(name)
    return tuple(given)


def _named(entry: Any) -> str:
    if isinstance(entry, Pair):
        return entry.label
    if isinstance(entry, Sampler):
        return str(entry) or "the task's own ({})"
    return json.dumps(dataclasses.asdict(entry) if isinstance(entry, SweptMethod) else entry)
