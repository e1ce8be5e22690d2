"""What a results file says it evaluated: a merge of a pair, or any other model of the harness."""

from __future__ import annotations

import dataclasses
import json
from pathlib import PurePath
from typing import Any

BASE, INSTRUCT = 0.0, 1.0  # alpha at the ends


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of one run; equal ones are the same model.

    Attributes:
        family: the pair's name, or the model's own.
        base, instruct: checkpoints by path or hub name; empty for a model that is no merge.
        identity: what tells apart pairs of the same name: content, or names with revisions.
        method: of merging, with its parameters; empty for a model that is no merge.
        alpha: as written; empty for a model that is no merge.
    """

    family: str
    identity: str
    base: str = dataclasses.field(default="", compare=False)
    instruct: str = dataclasses.field(default="", compare=False)
    method: str = ""
    alpha: str = ""

    @property
    def number(self) -> float | None:
        """alpha where it is one number; None for gradients, patterns, and models without."""
        try:
            return float(self.alpha)
        except ValueError:
            return None

    @property
    def at_end(self) -> bool:
        """Whether it is one of the two checkpoints, which no method changes."""
        return self.number in (BASE, INSTRUCT)

    @property
    def label(self) -> str:
        """As in figures: the two ends by their names, a method that takes no alpha by its own."""
        if not self.alpha:
            return self.method or "as it is"
        return {BASE: "base (alpha=0)", INSTRUCT: "instruct (alpha=1)"}.get(
            self.number if self.number is not None else -1.0, f"alpha={self.alpha}"
        )


def model_of(data: dict[str, Any]) -> Model:
    """The model of a results file's content.

    Raises:
        KeyError, TypeError, AttributeError: it is no results file.
    """
    run = data.get("config") or {}
    merge = run.get("merge")
    if not isinstance(merge, dict):
        name = str(data.get("model_name") or run.get("model") or "model")
        return Model(family=name, identity=f"{run.get('model')} {name}")
    base, instruct = str(merge["base"]), str(merge["instruct"])
    method, alpha = str(merge.get("merge_method", "linear")), merge.get("alpha")
    return Model(
        family=f"{_short(base)} → {_short(instruct)}",
        identity=" ".join(_identity(merge, side) for side in ("base", "instruct")),
        base=base,
        instruct=instruct,
        method=method + _parameters(merge),
        alpha="" if alpha is None else _plain(alpha),
    )


def _short(checkpoint: str) -> str:
    """The name that people use: hub names without their owner, cached snapshots by their model."""
    for part in PurePath(checkpoint).parts:
        if part.startswith("models--"):
            return part.split("--")[-1]
    return PurePath(checkpoint).name or checkpoint


def _identity(merge: dict[str, Any], side: str) -> str:
    known = merge.get(f"{side}_identity")
    return str(known) if known else f"{merge[side]}@{merge.get(f'{side}_revision')}"


def _parameters(merge: dict[str, Any]) -> str:
    """What else shapes the merge, where it is not as usual."""
    if merge.get("alpha") in (BASE, INSTRUCT):
        return ""
    named = {
        key: value
        for field in ("merge_params", "base_params", "instruct_params")
        for key, value in (merge.get(field) or {}).items()
    }
    if merge.get("merge_dtype") not in (None, "float32"):
        named["dtype"] = merge["merge_dtype"]
    if merge.get("merge_seed"):
        named["seed"] = merge["merge_seed"]
    return f" ({', '.join(f'{k}={_plain(v)}' for k, v in named.items())})" if named else ""


def _plain(value: Any) -> str:
    if isinstance(value, (float, int)):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)
