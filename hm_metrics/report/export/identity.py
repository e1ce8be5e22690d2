"""Whose model a row is, by a name that others can look up: `org/model` of the hub, or a stated developer's.

    identify(row, developer="me").id      # me/B-I-alpha-0.7

A checkpoint that lies in a folder, and every merge, is nobody's on the hub: its developer has to be stated.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import PurePath

from hm_metrics.logs.models import BASE, INSTRUCT, Model
from hm_metrics.report.rows import Row
from hm_models.errors import UsageError

# Models of the harness whose names are those of the hub.
_FROM_THE_HUB = ("hf", "vllm", "sglang", "hf-multimodal", "vllm-vlm")
_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


class ExportError(UsageError, ValueError):
    """What cannot be exported as asked."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """A model as others know it.

    Attributes:
        id: developer and name.
        is_on_hub: whether it is a model of the hub as it is.
    """

    developer: str
    name: str
    is_on_hub: bool

    @property
    def id(self) -> str:
        return f"{self.developer}/{self.name}"


def identify(row: Row, developer: str) -> Identity:
    """Raises ExportError where the developer is needed and empty."""
    if whole := on_hub(row.point.model):
        developer, _, name = whole.partition("/")
        return Identity(developer, name, True)
    if not developer:
        raise ExportError(
            f"--export: {row.point.id} is no model of the hub (a merge, or a checkpoint in a folder), so "
            "that nobody knows whose it is. Give --developer NAME: you, or your organisation."
        )
    return Identity(slug(developer), slug(row.point.id), False)


def check_developer(rows: Sequence[Row], developer: str) -> None:
    """Raise ExportError where a row needs a developer, or the one that is stated is no name."""
    if developer and not slug(developer):
        raise ExportError(f"--developer {developer!r} has no letter or digit. Give a name.")
    for row in rows:
        identify(row, developer)


def on_hub(model: Model) -> str:
    """The hub's name of a model that is one of the hub's as it is; else empty."""
    if model.arguments:  # as an adapter, or a number format
        return ""
    if not model.base:
        kind, _, name = model.identity.partition(" ")
        return name if kind in _FROM_THE_HUB and _HUB.fullmatch(name) else ""
    sides = {BASE: model.base, INSTRUCT: model.instruct}
    side = "" if model.number is None else sides.get(model.number, "")
    return side if _HUB.fullmatch(side) else ""


def shown(checkpoint: str) -> str:
    """A hub's name whole, of a path its last part: where it lay is nobody's business."""
    return checkpoint if _HUB.fullmatch(checkpoint) else PurePath(checkpoint).name


def arguments_of(model: Model) -> dict[str, str]:
    """What else the run was told of its model, without places on the disk."""
    return {name: shown(value) for name, value in model.arguments}


def slug(text: str) -> str:
    """A name that files and web addresses may have."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or ""
