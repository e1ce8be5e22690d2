"""What a sweep is made of: pairs, alphas, methods, temperatures, tasks. Frozen, validated.

>>> config = read_config({"base": "B", "instruct": "org/I", "tasks": ["mbppplus_passk"]})
>>> config.pairs[0].name, config.alphas
('I', (0, 0.7, 0.9, 1))

The settings come from a YAML, from flags, or from both (`hm_models.sweep.flags`).
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from hm_models.errors import RecipeError, UsageError
from hm_models.files.text_files import TextFileError
from hm_models.files.yaml_files import read_yaml
from hm_models.merge.alpha import Alpha, parse_alpha

DEFAULT_ALPHAS = (0, 0.7, 0.9, 1)
# What goes to `lm_eval run` as it is, by the harness's names (lm_eval/config/evaluate_config.py).
HARNESS_KEYS = (
    "limit",
    "samples",
    "num_fewshot",
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
PAIR_KEYS = ("base", "instruct", "base_revision", "instruct_revision")
MAPPINGS = ("model_args", "metadata", "gen_kwargs")
LISTS = ("alphas", "methods", "temperatures", "tasks")
HARNESS_MAPPINGS = tuple(key for key in HARNESS_KEYS if key.endswith("_args"))
KEYS = (*PAIR_KEYS, "name", "pairs", *LISTS, *MAPPINGS, *HARNESS_KEYS)
# Arguments of hm-merged that a sweep sets from keys of its own.
SET_BY_SWEEP = {
    "alpha": "alphas",
    "merge_method": "methods",
    "merge_params": "methods",
    "pretrained": "base and instruct",
    "recipe": "base, instruct and methods",
    **{key: f"{key}, or pairs" for key in PAIR_KEYS},
}


class SweepError(UsageError, ValueError):
    """A sweep that cannot be run as asked; the message says what is wrong and how to mend it."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two checkpoints under one name; `model_args` are this pair's own, before the sweep's."""

    name: str
    base: str
    instruct: str
    base_revision: str | None = None
    instruct_revision: str | None = None
    model_args: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Method:
    """A merge method with its parameters (`merge_method`, `merge_params`)."""

    name: str = "linear"
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """Everything that is asked for; `read_config` makes it of settings.

    Attributes:
        temperatures: None stands for the task's own.
        harness: what `lm_eval run` gets as it is, by its own names.
    """

    pairs: tuple[Pair, ...]
    tasks: tuple[str, ...]
    alphas: tuple[Alpha | int, ...] = DEFAULT_ALPHAS
    methods: tuple[Method, ...] = (Method(),)
    temperatures: tuple[float | None, ...] = (None,)
    model_args: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    gen_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    harness: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def read_settings(file: Path) -> dict[str, Any]:
    """The settings of a YAML file, unchecked.

    Raises:
        SweepError: no such file, no YAML, no mapping.
    """
    try:
        settings = read_yaml(file)
    except OSError as error:
        raise SweepError(
            f"{file}: there is no such file ({error.strerror}). Give a sweep's YAML, as those in "
            "configs/."
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
    mappings = {key: _mapping(key, given.get(key, {})) for key in MAPPINGS}
    _refuse_arguments(mappings["model_args"], "model_args")
    tasks = _list("tasks", given.get("tasks", []))
    tasks = [name for task in tasks for name in str(task).split(",") if name]
    if not tasks:
        raise SweepError("tasks: none given. Name at least one, for example tasks: [demo_passk].")
    temperatures = [_temperature(t) for t in _list("temperatures", given.get("temperatures", []))]
    if temperatures and "temperature" in mappings["gen_kwargs"]:
        raise SweepError(
            "temperature stands in gen_kwargs and in temperatures. Leave one of them out."
        )
    harness = {key: given[key] for key in HARNESS_KEYS if key in given}
    for key in HARNESS_MAPPINGS:
        if key in harness:
            harness[key] = _mapping(key, harness[key])
    if "limit" in harness and "samples" in harness:
        raise SweepError("limit and samples exclude each other. Leave one of them out.")
    alphas = [_alpha(a) for a in _list("alphas", given.get("alphas", DEFAULT_ALPHAS))]
    methods = [_method(m) for m in _list("methods", given.get("methods", ["linear"]))]
    return SweepConfig(
        pairs=_distinct("pairs", _pairs(given)),
        tasks=tuple(dict.fromkeys(tasks)),
        alphas=_distinct("alphas", alphas),
        methods=_distinct("methods", methods),
        temperatures=_distinct("temperatures", temperatures) if temperatures else (None,),
        harness=harness,
        **mappings,
    )


def refuse_unknown(given: Iterable[Any], known: Iterable[str], where: str) -> None:
    """Raise SweepError for the first name that is not known, naming the nearest that is."""
    known = list(known)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise SweepError(
                f"{name!r} is no key of {where}. {hint}Known: {', '.join(sorted(known))}."
            )


def _pairs(given: Mapping[str, Any]) -> list[Pair]:
    alone = [key for key in (*PAIR_KEYS, "name") if key in given]
    if "pairs" not in given:
        return [_pair({key: given[key] for key in alone}, "the sweep")]
    if alone:
        raise SweepError(f"{', '.join(alone)}: not beside pairs, which say it for each pair.")
    pairs = given["pairs"]
    if isinstance(pairs, Mapping):
        pairs = [{"name": name, **_mapping(f"pairs: {name}", pair)} for name, pair in pairs.items()]
    found = []
    for number, pair in enumerate(_list("pairs", pairs)):
        where = f"pairs[{number}]"
        pair = _mapping(where, pair)
        refuse_unknown(pair, (*PAIR_KEYS, "name", "model_args"), where)
        found.append(_pair(pair, where))
    return found


def _pair(given: Mapping[str, Any], where: str) -> Pair:
    for side in ("base", "instruct"):
        if not isinstance(given.get(side), str) or not given[side].strip():
            raise SweepError(
                f"{side} is missing from {where}. Give a folder or a hub name, for example "
                f"{side}: meta-llama/Llama-3.1-8B{'-Instruct' if side == 'instruct' else ''}."
            )
    name = str(given.get("name") or PurePath(given["instruct"]).name)
    if given.get("name") is None and name in ("instruct", "chat", "it"):
        # As in runs/demo_pair/instruct: the folder above says more.
        name = PurePath(given["instruct"]).parent.name or name
    if not re.fullmatch(r"[\w.+-]+", name) or name.startswith("."):
        raise SweepError(
            f"name={name!r} of {where} names a folder: letters, digits, '-', '_', '+' and '.' only."
        )
    arguments = _mapping(f"model_args of {where}", given.get("model_args", {}))
    _refuse_arguments(arguments, f"model_args of {where}")
    revisions = {key: given.get(key) for key in ("base_revision", "instruct_revision")}
    return Pair(name, given["base"], given["instruct"], model_args=arguments, **revisions)


def _refuse_arguments(arguments: Mapping[str, Any], where: str) -> None:
    for key in arguments:
        if key in SET_BY_SWEEP:
            raise SweepError(
                f"{key} stands in {where}, but a sweep takes it from {SET_BY_SWEEP[key]}."
            )


def _alpha(given: object) -> Alpha | int:
    try:
        alpha = parse_alpha(given)
    except RecipeError as error:
        raise SweepError(f"alphas: {error}") from None
    # Whole numbers are written as such, as on a command line: the folder is alpha1, not alpha1.0.
    return int(alpha) if isinstance(alpha, float) and alpha.is_integer() else alpha


def _temperature(given: object) -> float:
    try:
        if isinstance(given, bool):
            raise TypeError
        temperature = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        temperature = -1.0
    if not 0 <= temperature < float("inf"):
        raise SweepError(f"temperatures: {given!r} is none. Give numbers from 0 up, as [0.2, 0.7].")
    return temperature


def _method(given: object) -> Method:
    if isinstance(given, Mapping):
        refuse_unknown(given, ("name", "params"), "an entry of methods")
        if not isinstance(given.get("name"), str):
            raise SweepError("methods: an entry has no name. Write {name: ties, params: {...}}.")
        return Method(given["name"], _mapping("params of methods", given.get("params") or {}))
    if not isinstance(given, str):
        raise SweepError(f"methods: {given!r} is neither a name nor {{name: ..., params: ...}}.")
    return Method(given)


def _mapping(key: str, given: object) -> dict[str, Any]:
    if isinstance(given, str):
        from lm_eval.utils import simple_parse_args_string

        try:
            return simple_parse_args_string(given)
        except ValueError:
            pass
    if not isinstance(given, Mapping):
        raise SweepError(f"{key}: expected names and values, got {given!r}.")
    return {str(name): value for name, value in given.items()}


def _list(key: str, given: object) -> list[Any]:
    if isinstance(given, (str, int, float)):
        return [given]
    if not isinstance(given, (list, tuple)) or (
        not given and key in ("alphas", "pairs", "methods")
    ):
        raise SweepError(f"{key}: expected a list with at least one entry, got {given!r}.")
    return list(given)


def _distinct(key: str, given: list[Any]) -> tuple[Any, ...]:
    """Each stands there once, as each point has a folder of its own; pairs by name."""
    seen: list[str] = []
    for entry in given:
        plain = dataclasses.asdict(entry) if isinstance(entry, Method) else entry
        name = entry.name if isinstance(entry, Pair) else json.dumps(plain)
        if name in seen:
            also = " Give each pair a name of its own (name: ...)." if key == "pairs" else ""
            raise SweepError(
                f"{key}: {name} stands there twice. Each point has a folder of its own.{also}"
            )
        seen.append(name)
    return tuple(given)
