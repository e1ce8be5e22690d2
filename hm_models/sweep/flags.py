"""The command line of `hm-sweep`: the keys of a sweep's YAML as flags, which win over the file's.

    >>> add_flags(parser := argparse.ArgumentParser())
    >>> asked = parser.parse_args(["--base", "B", "--instruct", "I", "--alphas", "0,0.7"])
    >>> merged_settings(asked)["alphas"]
    [0, 0.7]

Mappings (`model_args`, `metadata`, ...) are merged name by name; everything else is replaced.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hm_models.files.yaml_files import parse_yaml
from hm_models.sweep.config import (
    HARNESS_KEYS,
    HARNESS_MAPPINGS,
    KEYS,
    MAPPINGS,
    read_settings,
)
from hm_models.sweep.given import SweepError
from hm_models.sweep.pairs import PAIR_KEYS
from hm_models.sweep.shipped import config_file, shipped

HELP = {
    "bases": "the stages to go back to in place of base: folders or hub names",
    "base_revisions": "the stages as revisions of base on the hub",
    "base": "the earlier checkpoint: folder or hub name",
    "instruct": "the fine-tuned checkpoint",
    "name": "the pair's name: its folder under --output_path (the instruct model's)",
    "alphas": "0,0.7 0.9 1, or gradients as [0.2,0.9] (0 0.7 0.9 1)",
    "methods": 'names, or {"name": "ties", "params": {"density": 0.5}} (linear)',
    "samplers": 'parameters of sampling, as {"temperature": 1.2, "min_p": 0.1} (the task\'s own)',
    "temperatures": "numbers, short for samplers with a temperature alone",
    "tasks": "names, as for lm_eval",
    "pairs": "several pairs as JSON: a list of {name, base, instruct}",
}
AXES = ("alphas", "methods", "samplers", "temperatures")
STAGES = ("bases", "base_revisions")
# What of the file a flag stands for: a pair on the command line is another pair than the file's.
IN_PLACE_OF = {
    "base": ("pairs", "bases"),
    "bases": ("pairs", "base", "base_revision", "base_revisions"),
    "base_revision": ("base_revisions",),
    "base_revisions": ("base_revision", "bases"),
    "instruct": ("pairs",),
    "pairs": (*PAIR_KEYS, "name"),
    "samplers": ("temperatures",),
    "temperatures": ("samplers",),
}
FLAGS = ("predict_only", "trust_remote_code", "confirm_run_unsafe_code")


def add_flags(made: argparse.ArgumentParser) -> None:
    """All of hm-sweep's own arguments; those that are keys of the YAML are None unless given."""
    names = ", ".join(shipped())
    made.add_argument("config", nargs="?", help=f"the sweep's YAML, or one by name: {names}")
    made.add_argument(
        "--config", dest="config_too", metavar="CONFIG", help="the same, as for lm_eval run"
    )
    made.add_argument("--output_path", "-o", type=Path, help="the sweep's folder")
    made.add_argument(
        "--dry-run", "--dry_run", action="store_true", help="print the plan, run nothing"
    )
    made.add_argument(
        "--tokens_per_second", type=float, help="of an engine, for the plan's time (measured)"
    )
    made.add_argument(
        "--devices", help="GPUs, as 0,1,2,3: one process each (or each tensor_parallel_size)"
    )
    made.add_argument(
        "--executor",
        choices=("local", "ray"),
        default="local",
        help="ray: the points go out over an existing Ray cluster",
    )
    of_sweep = made.add_argument_group("what is run (each also a key of the YAML; flags win)")
    for key in (*PAIR_KEYS, "name"):
        several = "+" if key in STAGES else None
        of_sweep.add_argument(f"--{key}", nargs=several, help=HELP.get(key))
    of_sweep.add_argument("--pairs", type=json.loads, help=HELP["pairs"])
    for key in AXES:
        of_sweep.add_argument(f"--{key}", nargs="+", type=_entries, help=HELP[key])
    of_sweep.add_argument(
        "--extrapolate", action="store_const", const=True, help="alphas may lie outside [0, 1]"
    )
    of_sweep.add_argument("--tasks", nargs="+", help=HELP["tasks"])
    for key in MAPPINGS:
        of_sweep.add_argument(f"--{key}", nargs="+", action=_Merged, help="as for lm_eval")
    of_harness = made.add_argument_group("settings of lm_eval run, with their meaning there")
    for key in HARNESS_KEYS:
        if key in HARNESS_MAPPINGS:
            of_harness.add_argument(f"--{key}", nargs="+", action=_Merged)
        elif key in FLAGS:
            of_harness.add_argument(f"--{key}", action="store_const", const=True)
        elif key == "apply_chat_template":
            of_harness.add_argument(f"--{key}", nargs="?", const=True)
        else:
            of_harness.add_argument(f"--{key}", type=_value)


def merged_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings of the file, if one is named, with those of the flags over them.

    Raises:
        SweepError: there is no such file, or it cannot be read.
    """
    if arguments.config and arguments.config_too:
        raise SweepError(
            f"{arguments.config} and --config {arguments.config_too}: a sweep has one file. Leave one out."
        )
    named = arguments.config or arguments.config_too
    settings = read_settings(config_file(named)) if named else {}
    given = {key: value for key in KEYS if (value := getattr(arguments, key)) is not None}
    for key in AXES:
        if key in given:
            given[key] = [entry for entries in given[key] for entry in entries]
    for key in {other for flag in given for other in IN_PLACE_OF.get(flag, ())} - given.keys():
        settings.pop(key, None)
    for key in (*MAPPINGS, *HARNESS_MAPPINGS):
        if key in given and isinstance(settings.get(key), dict):
            given[key] = settings[key] | given[key]
    return settings | given


class _Merged(argparse.Action):
    """`key=value` or JSON, read by the harness, which is imported only when there is something to read."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        from lm_eval._cli.utils import MergeDictAction

        merge = MergeDictAction(self.option_strings, self.dest)
        try:
            merge(parser, namespace, values, option_string)
        except ValueError:  # 0.5.0.dev1 knows no lists between commas
            parser.error(f"argument {option_string}: expected key=value or JSON, got {values}")


def _entries(text: str) -> list[Any]:
    """`0,0.7` as two entries, read as a list of YAML; what is none is one entry, a text."""
    try:
        return parse_yaml(f"[{text}]")
    except ValueError:
        return [text]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
