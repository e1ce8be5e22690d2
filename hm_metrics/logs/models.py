"""What a results file says it evaluated: a merge of a pair, or any other model of the harness.

>>> merge = {"base": "org/base", "instruct": "org/instruct", "alpha": 0.7}
>>> model = model_of({"config": {"merge": merge}}, Path("results.json"))
>>> model.family, model.label
('base → instruct', 'alpha=0.7')
>>> model_of({"config": {"model_args": "pretrained=gpt2,peft=mine"}}, Path("results.json")).arguments
(('peft', 'mine'),)
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from hm_models.samples.machine import ABOUT_THE_MACHINE
from hm_models.shown.escaping import one_line

BASE, INSTRUCT = 0.0, 1.0  # alpha of the two checkpoints
NAME, VALUE, PATH = 80, 60, 1000  # letters of a name, an argument's value, a path that are shown
# By which of its arguments a model of the harness goes, where no name is noted.
NAMED_BY = ("pretrained", "model", "path", "engine")
# Arguments that do not make another model: of merges, and of what other models of the harness take.
SAME_MODEL = (ABOUT_THE_MACHINE - {"seed"}) | {
    *("device_map", "num_concurrent", "cache_requests", "max_retries", "timeout"),
    *("keep_resident", "materialize", "self_test", "trust_remote_code", "use_fast_tokenizer"),
    *("download_dir", "cache_dir", "verify_certificate"),
}
# Of a merge's arguments: said by its record, or by facts of the protocol.
OF_MERGES = {"recipe", "prompt_style", "sampling_seed", "seed"}
_SECRET = re.compile(r"(?i)key|token$|secret|password|auth|header|credential")


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of one run; equal ones are the same model.

    Attributes:
        family: the pair's name, or the model's own.
        base, instruct: checkpoints by path or hub name; empty for a model that is no merge of a pair.
        identity: what tells apart pairs of the same name: content, or names with revisions.
        method: of merging, with its parameters or the name of its file; empty for a model that is no
            merge.
        alpha: as written; empty for a model that is no merge.
        base_revision: of the hub, where one was asked for.
        identities: of base and instruct model.
        stage: of a base's training, where runs have several; `join` of hm_metrics.report.points tells. Empty
            for the instruct model that all stages have in common, None where there is one base.
        extrapolated: whether alpha goes beyond the two checkpoints.
        arguments: name and value of whatever else the run was told of its model, in order of names:
            an adapter, a revision, a number format. Models that differ in one are two.
    """

    family: str
    identity: str
    base: str = dataclasses.field(default="", compare=False)
    instruct: str = dataclasses.field(default="", compare=False)
    method: str = ""
    alpha: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    base_revision: str = dataclasses.field(default="", compare=False)
    identities: tuple[str, str] = dataclasses.field(default=("", ""), compare=False)
    stage: str | None = None
    extrapolated: bool = dataclasses.field(default=False, compare=False)

    @property
    def number(self) -> float | None:
        """alpha where it is one number; None for gradients, patterns, and models without."""
        try:
            return float(self.alpha)
        except ValueError:
            return None

    @property
    def is_base_or_instruct(self) -> bool:
        """Whether it is one of the two checkpoints, which no method changes."""
        return self.number in (BASE, INSTRUCT)

    @property
    def label(self) -> str:
        """As in figures: the two checkpoints by their sides, a method that takes no alpha by its own."""
        if not self.alpha:
            return self.method or "as it is"
        if self.extrapolated:
            return f"alpha={self.alpha} (extrapolated)"
        return {BASE: "base (alpha=0)", INSTRUCT: "instruct (alpha=1)"}.get(
            self.number if self.number is not None else -1.0, f"alpha={self.alpha}"
        )


def model_of(data: dict[str, Any], file: Path) -> Model:
    """The model of a results file's content.

    Raises:
        MALFORMED: it is no results file.
    """
    run = data.get("config") or {}
    arguments = _arguments(run.get("model_args"))
    merge = run.get("merge")
    if merge is None:
        return _other(data, run, arguments, file)
    if "models" in merge:
        return _of_many(merge, arguments)
    base, instruct = _text(merge, "base"), _text(merge, "instruct")
    identities = _identity(merge, "base"), _identity(merge, "instruct")
    # As it was asked for; the record has the commit.
    revision = arguments.get("base_revision") or merge.get("base_revision") or ""
    method, alpha = str(merge.get("merge_method", "linear")), merge.get("alpha")
    return Model(
        family=f"{_short(base)} → {_short(instruct)}",
        identity=" ".join(identities),
        identities=identities,
        base=one_line(base, PATH),
        instruct=one_line(instruct, PATH),
        method=_told(method + _parameters(merge), NAME),
        alpha="" if alpha is None else _told(_plain(alpha), NAME),
        arguments=_rest(arguments, {*merge, *OF_MERGES}),
        base_revision=_told(str(revision), NAME),
        extrapolated=_beyond(alpha),
    )


def _of_many(merge: dict[str, Any], arguments: dict[str, Any]) -> Model:
    """The merge of a mergekit YAML of many models, by the file's name and a digest of all content."""
    # In the order of names: what is summed in another order is another merge of the same models.
    models = sorted(merge["models"], key=lambda model: _short(_text(model, "model")))
    names = [_short(model["model"]) for model in models]
    mark = _text(merge, "fingerprint")[:8]
    shown = f"{_text(merge, 'merge_method')} {_text(merge, 'file')} #{mark}"
    return Model(
        family=_name(" + ".join(names)),
        identity=f"merge {' '.join(sorted(map(_content, models)))}",
        method=_told(shown, NAME),
        arguments=_rest(arguments, {*merge, *OF_MERGES}),
    )


def _content(model: dict[str, Any]) -> str:
    return str(model.get("identity") or f"{model['model']}@{model.get('revision')}")


def _other(
    data: dict[str, Any], run: dict[str, Any], arguments: dict[str, Any], file: Path
) -> Model:
    """A model that is no merge; of one without any name the file is all that is known."""
    key = next((key for key in NAMED_BY if arguments.get(key)), "")
    name = arguments.get(key) or data.get("model_name")
    kind = str(data.get("model_source") or run.get("model") or "")
    if not name:
        return Model(family=_name(file.parent.name or file.name), identity=f"{kind} {file}")
    return Model(
        family=_name(str(name)),
        identity=f"{kind} {name}",
        arguments=_rest(arguments, {key}),
    )


def _arguments(given: Any) -> dict[str, Any]:
    """`model_args` as the harness notes them: a mapping, or `a=1,b=2` as on a command line.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(given, str):
        pairs = [part.partition("=") for part in re.split(r",(?=\w+=)", given) if part]
        return {name: value for name, _, value in pairs}
    if given is None or isinstance(given, dict):
        return given or {}
    raise TypeError(f"model_args is a {type(given).__name__}")


def _rest(arguments: dict[str, Any], known: set[str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (_told(name, NAME), _words(name, arguments[name]))
        for name in sorted(arguments)
        if name not in known and name not in SAME_MODEL
    )


def _words(name: str, value: Any) -> str:
    """An argument's value for people; never a secret, nor what an address says beside its place."""
    if _SECRET.search(name):
        return "(not shown)"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if "://" not in text:
        return _told(text, VALUE)
    parts = urlsplit(text)
    return _told(f"{parts.scheme}://{parts.hostname or ''}{parts.path}", VALUE, text)


def _told(shown: str, longest: int, whole: str | None = None) -> str:
    """A text for people that still differs where the whole does: what was left out is in a digest."""
    whole = shown if whole is None else whole
    plain = one_line(shown, longest)
    return plain if plain == whole else f"{plain} #{digest_of(whole)}"


def digest_of(text: str) -> str:
    """Eight hex digits that tell two texts apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _text(record: dict[str, Any], key: str) -> str:
    value = record[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is a {type(value).__name__}, not a name")
    return value


def _name(text: str) -> str:
    return one_line(text, NAME) or "model"


def _short(checkpoint: str) -> str:
    """The name that people use: hub names without their owner, cached snapshots by their model."""
    for part in PurePath(checkpoint).parts:
        if part.startswith("models--"):
            return _name(part.split("--")[-1])
    return _name(PurePath(checkpoint).name or checkpoint)


def _identity(merge: dict[str, Any], side: str) -> str:
    found = {"model": merge[side]}
    found |= {key: merge.get(f"{side}_{key}") for key in ("identity", "revision")}
    return _content(found)


def _beyond(alpha: Any) -> bool:
    """Whether one of its numbers lies outside [0, 1]; of a gradient or patterns any."""
    if isinstance(alpha, (list, dict)):
        return any(map(_beyond, alpha.values() if isinstance(alpha, dict) else alpha))
    return isinstance(alpha, (int, float)) and not BASE <= alpha <= INSTRUCT


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
        if not math.isfinite(value):
            raise ValueError(f"alpha or a parameter is {value}, no number")
        return json.dumps(value) if isinstance(value, bool) else f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)
