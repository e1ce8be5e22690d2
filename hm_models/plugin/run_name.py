"""The name of a run's result folder: base, instruct and alpha instead of a random word.

    >>> run_name("base=hub/smol,instruct=hub/smol-it,alpha=0.7")
    'smol--smol-it--alpha0.7'

Only the last part of a path is in it, so two pairs can have one name. Where a folder of that name holds
another merge already, `name_in` gives the later one a name of its own.

Harness: 0.4.13 and 0.5.0.dev1, which invent a random word where there is no `pretrained`, anew for each run.
Unnecessary: once a model can name the folder of its results.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from hm_models.files.text_files import TextFileError, read_json

# What makes one merge another; the rest of the arguments says how it is run.
OF_THE_MERGE = (
    "base",
    "instruct",
    "base_revision",
    "instruct_revision",
    "recipe",
    "alpha",
    "merge_method",
    "merge_params",
    "merge_dtype",
    "merge_seed",
)
CHECKPOINTS = ("base", "instruct", "recipe")


def change(module: Any) -> None:
    """Name folders so, in `lm_eval.loggers.evaluation_tracker`."""
    plain = module.EvaluationTracker.save_results_aggregated

    @functools.wraps(plain)
    def save_results_aggregated(self: Any, results: Any, *args: Any, **kwargs: Any) -> Any:
        arguments = results.get("config", {}).get("model_args")
        name = run_name(arguments)
        if name and self.output_path and Path(self.output_path).suffix != ".json":  # a file's name
            name = name_in(Path(self.output_path), arguments)
        if name:
            named = self.general_config_tracker  # the samples' folder goes by it, too
            named.model_name = named.model_name_sanitized = name
        return plain(self, results, *args, **kwargs)

    module.EvaluationTracker.save_results_aggregated = save_results_aggregated


def run_name(model_args: object) -> str | None:
    """`smol--smol-instruct--alpha0.7` for the arguments of hm-merged, else None.

    Only the last part of a path or hub name is used: the harness turns the rest into underscores. A
    revision stands behind it, `smol@step1000`. A mergekit YAML gives its own name; a base that an adapter
    names and the arguments do not is left out.
    """
    arguments = _arguments(model_args)
    if arguments is None:
        return None
    if "recipe" in arguments:
        return _as_folder(PurePath(str(arguments["recipe"])).stem)
    parts = []
    for key in filter(arguments.get, ("base", "instruct")):
        revision = arguments.get(f"{key}_revision")
        at = f"@{_plain(revision)}" if revision is not None else ""
        parts.append(PurePath(str(arguments[key])).name + at)
    if "alpha" in arguments:
        parts.append(f"alpha{_plain(arguments['alpha'])}")
    if (method := arguments.get("merge_method", "linear")) != "linear":
        parts.append(method)
    if parameters := arguments.get("merge_params"):
        parts.append(_plain(parameters))
    return _as_folder("--".join(map(str, parts)))


def name_in(folder: Path, model_args: object) -> str | None:
    """The run's name in a folder of results, other than that of another merge that is there.

    Whose a folder is stands in the results that it holds.
    """
    name = run_name(model_args)
    if name is None:
        return None
    ours = _merge(model_args)
    if all(_merge(theirs) == ours for theirs in _merges_in(folder / name)):
        return name
    return f"{name}--{hashlib.sha256(ours.encode()).hexdigest()[:8]}"


def _merges_in(folder: Path) -> list[object]:
    found: list[object] = []
    for file in folder.glob("results_*.json"):
        try:
            found.append(read_json(file)["config"]["model_args"])
        except (OSError, TextFileError, LookupError, TypeError):
            found.append(None)  # nobody's results are theirs to write beside
    return found


def _merge(model_args: object) -> str:
    """What is merged, as a text; where a checkpoint lies counts, not how its path is written."""
    arguments = _arguments(model_args) or {}
    merge: dict[str, Any] = {key: str(arguments.get(key)) for key in OF_THE_MERGE}
    for key in CHECKPOINTS:
        path = Path(merge[key]).expanduser()
        if path.exists():
            merge[key] = str(path.resolve())
    return json.dumps(merge)


def _arguments(model_args: object) -> Mapping[str, Any] | None:
    """The arguments of hm-merged by name; None for those of another model."""
    if isinstance(model_args, str):
        pairs = (part.split("=", 1) for part in model_args.split(",") if "=" in part)
        model_args = {key.strip(): value for key, value in pairs}
    if not isinstance(model_args, Mapping) or "pretrained" in model_args:
        return None
    return model_args if {"recipe", "instruct"} & set(model_args) else None


def _as_folder(name: str) -> str:
    return re.sub(r'["<>:/|\\?*\[\]]+', "__", name)  # as the harness does with other models' names


def _plain(value: object) -> str:
    """Numbers, gradients and patterns without what a folder's name should not have."""
    signed = re.sub(r"(?<![\w.])-(?=[\d.])", "minus", str(value))  # below 0 is another alpha
    return re.sub(r"[^\w.*]+", "-", signed).replace("*", "rest").strip("-")
