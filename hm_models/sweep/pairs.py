"""The pairs of a sweep: two checkpoints each, and where asked for the stages of the base's training.

>>> pairs = pairs_of({"bases": ["run/checkpoint-100", "run/checkpoint-500"], "instruct": "org/I"})
>>> [(pair.name, pair.stage, pair.base) for pair in pairs]
[('I', 'checkpoint-100', 'run/checkpoint-100'), ('I', 'checkpoint-500', 'run/checkpoint-500')]

Each stage is a pair with the one instruct model, so that at alpha 1 all of them are that one.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from hm_models.checkpoints.stages import stage_names
from hm_models.errors import CheckpointError
from hm_models.sweep.given import SweepError, list_of, mapping_of, refuse_unknown

PAIR_KEYS = (
    *("base", "instruct", "base_revision", "instruct_revision"),
    *("bases", "base_revisions"),
)
# Arguments of hm-merged that a sweep sets from keys of its own.
SET_BY_SWEEP = {
    "alpha": "alphas",
    "merge_method": "methods",
    "merge_params": "methods",
    "pretrained": "base and instruct",
    "recipe": "base, instruct and methods",
    "extrapolate": "its own key extrapolate",
    **{key: f"{key}, or pairs" for key in PAIR_KEYS},
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two checkpoints under one name; `model_args` are this pair's own, before the sweep's.

    Attributes:
        stage: of which stage of its training the base is; empty where the pair has one base.
    """

    name: str
    base: str
    instruct: str
    base_revision: str | None = None
    instruct_revision: str | None = None
    stage: str = ""
    model_args: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def label(self) -> str:
        """Unique in a sweep."""
        return f"{self.name}/{self.stage}" if self.stage else self.name


def pairs_of(given: Mapping[str, Any]) -> list[Pair]:
    """The pairs that a sweep's settings name, a pair with stages as one for each.

    Raises:
        SweepError: none, or one that cannot be.
    """
    alone = [key for key in (*PAIR_KEYS, "name") if key in given]
    if "pairs" not in given:
        return _pair({key: given[key] for key in alone}, "the sweep")
    if alone:
        raise SweepError(f"{', '.join(alone)}: not beside pairs, which say it for each pair.")
    pairs = given["pairs"]
    if isinstance(pairs, Mapping):
        pairs = [
            {"name": name, **mapping_of(f"pairs: {name}", pair)} for name, pair in pairs.items()
        ]
    found = []
    for number, pair in enumerate(list_of("pairs", pairs)):
        where = f"pairs[{number}]"
        pair = mapping_of(where, pair)
        refuse_unknown(pair, (*PAIR_KEYS, "name", "model_args"), where)
        found += _pair(pair, where)
    return found


def _pair(given: Mapping[str, Any], where: str) -> list[Pair]:
    stages = _stages(_with_base(given, where), where)
    for side, example in (("base", ""), ("instruct", "-Instruct")):
        value = stages[0][1] if side == "base" else given.get(side)
        if not isinstance(value, str) or not value.strip():
            raise SweepError(
                f"{side} is missing from {where}. Give a folder or a hub name, for example "
                f"{side}: meta-llama/Llama-3.1-8B{example}."
            )
    name = str(given.get("name") or PurePath(given["instruct"]).name)
    if given.get("name") is None and name in ("instruct", "chat", "it"):
        # As in runs/demo_pair/instruct: the folder above says more.
        name = PurePath(given["instruct"]).parent.name or name
    if not re.fullmatch(r"[\w.+-]+", name) or name.startswith("."):
        raise SweepError(
            f"name={name!r} of {where} names a folder: letters, digits, '-', '_', '+' and '.' only."
        )
    arguments = mapping_of(f"model_args of {where}", given.get("model_args", {}))
    refuse_arguments(arguments, f"model_args of {where}")
    instruct = given["instruct"], given.get("instruct_revision")
    return [
        Pair(name, base, instruct[0], revision, instruct[1], stage, arguments)
        for stage, base, revision in stages
    ]


def _with_base(given: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The same with the base that the adapter names, where instruct is one and no base is given."""
    instruct = given.get("instruct")
    if {"base", "bases"} & given.keys() or not isinstance(instruct, str) or not instruct.strip():
        return given
    from hm_models.checkpoints.checkpoint import opened_adapter  # with torch, which takes its time

    try:
        adapter = opened_adapter(instruct, given.get("instruct_revision"))
        named = adapter and adapter.base()
    except CheckpointError as error:
        raise SweepError(
            f"base is missing from {where}. It may be left out where instruct is an adapter: {error}"
        ) from None
    if not named:
        return given
    base, revision = named
    at = {} if revision is None or "base_revisions" in given else {"base_revision": revision}
    return {**at, **given, "base": base}


def _stages(given: Mapping[str, Any], where: str) -> list[tuple[str, Any, str | None]]:
    """Name, base and revision of each stage; one without a name where the pair has none."""
    if "bases" in given:
        if beside := sorted({"base", "base_revision", "base_revisions"} & given.keys()):
            raise SweepError(
                f"{' and '.join(beside)} and bases of {where} exclude each other: bases lists the "
                "checkpoints to go back to. Leave one of them out."
            )
        bases = _texts("bases", given["bases"], where)
        _refuse_twice("bases", [_place(base) for base in bases])
        return [(name, base, None) for name, base in zip(_names(bases), bases, strict=True)]
    if "base_revisions" not in given:
        return [("", given.get("base"), given.get("base_revision"))]
    if "base_revision" in given:
        raise SweepError(
            f"base_revision and base_revisions of {where} exclude each other. Leave one of them out."
        )
    revisions = _texts("base_revisions", given["base_revisions"], where)
    _refuse_twice("base_revisions", revisions)
    base = given.get("base")
    if isinstance(base, str) and Path(base).expanduser().is_dir():
        raise SweepError(
            f"base_revisions of {where}: {base} is a folder, which has no revisions. List the folders "
            "of its stages as bases, or name the model on the hub."
        )
    return [(name, base, at) for name, at in zip(_names(revisions), revisions, strict=True)]


def _texts(key: str, given: object, where: str) -> list[str]:
    """Of YAML, a revision may look like a number."""
    found = list_of(key, given)
    for entry in found:
        if isinstance(entry, bool) or not isinstance(entry, (str, int)) or not str(entry).strip():
            raise SweepError(
                f"{key} of {where}: {entry!r} names no stage. Expected a list of names."
            )
    return [str(entry) for entry in found]


def _place(base: str) -> str:
    folder = Path(base).expanduser()
    return str(folder.resolve()) if folder.is_dir() else base.rstrip("/")


def _refuse_twice(key: str, places: Sequence[str]) -> None:
    if twice := [place for place in places if places.count(place) > 1]:
        raise SweepError(
            f"{key}: {twice[0]} stands there twice. Each stage has a folder of its own."
        )


def _names(stages: Sequence[str]) -> list[str]:
    try:
        return stage_names(stages)
    except ValueError as error:
        raise SweepError(f"Stages need names of their own: {error}.") from None


def refuse_arguments(arguments: Mapping[str, Any], where: str) -> None:
    """Raise SweepError for an argument of hm-merged that a sweep has a key for."""
    for key in arguments:
        if key in SET_BY_SWEEP:
            raise SweepError(
                f"{key} stands in {where}, but a sweep takes it from {SET_BY_SWEEP[key]}."
            )
