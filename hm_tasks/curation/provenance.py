"""Where a log's samples are from, out of the results file that the harness wrote beside it.

    origin = origin_of(Path("OUT/MODEL/samples_mbppplus_passk_2026-01-01T00-00-00.jsonl"))
    origin.fields, origin.versions

Runs of the plain harness have no merge, and so no alpha.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from hm_models.files.text_files import MALFORMED, is_own, read_json
from hm_models.shown.escaping import one_line

LOG = re.compile(r"samples_(?P<task>.+)_(?P<stamp>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl(\.gz)?")
LONGEST_NAME = 1000  # letters of a model's name or folder
MOST, NESTED = 100_000, 200  # letters and brackets of what is known of a log
# Of a merge, what else than its two sides and alpha shapes it.
MERGE = (
    "merge_method",
    "merge_dtype",
    "merge_params",
    "base_params",
    "instruct_params",
    "merge_seed",
)
SAMPLING = ("do_sample", "temperature", "top_p", "top_k", "min_p", "max_gen_toks")


@dataclasses.dataclass(frozen=True)
class Origin:
    """What made a log.

    Attributes:
        task: its task's name; empty for a file that is named otherwise.
        stamp: of the run, as in the file's name.
        fields: `task`, `model`, and for a merge `base`, `instruct`, `alpha`, `fingerprint`, `merge`;
            `seed`; `sampling` as the task asks it. What the results do not say is not there.
        versions: of the software, as the results have them.
    """

    task: str = ""
    stamp: str = ""
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)
    versions: dict[str, Any] = dataclasses.field(default_factory=dict)


def origin_of(file: Path) -> Origin:
    """The origin of a log; a results file that is missing or damaged tells nothing."""
    named = LOG.fullmatch(file.name)
    if named is None:
        return Origin()
    task = named["task"]
    try:
        if not is_own(beside := results_beside(file), file.parent):
            raise FileNotFoundError(beside)
        data = read_json(beside)
        run = _mapping(data["config"])
        kwargs = _mapping(_mapping(_mapping(data["configs"]).get(task)).get("generation_kwargs"))
    except (OSError, *MALFORMED):
        return Origin(task, named["stamp"], {"task": task})
    merge = _mapping(run.get("merge"))
    fields = {
        "task": task,
        "model": _name(data.get("model_name") or run.get("model")),
        **{name: _name(merge.get(name)) for name in ("base", "instruct", "fingerprint")},
        "alpha": merge.get("alpha"),
        "merge": {name: merge[name] for name in MERGE if merge.get(name) not in (None, {})},
        "seed": _mapping(run.get("sampling")).get("seed"),
        "sampling": sampling(kwargs),
    }
    known = {name: value for name, value in fields.items() if value not in (None, {})}
    if not _is_plain(known):
        return Origin(task, named["stamp"], {"task": task})
    return Origin(task, named["stamp"], known, _mapping(run.get("versions")))


def results_beside(log: Path) -> Path:
    """Where the results of a log's run are."""
    named = LOG.fullmatch(log.name)
    return log.with_name(f"results_{named['stamp'] if named else ''}.json")


def of_request(arguments: Any) -> dict[str, Any]:
    """What a logged line says of its request: `prompt_sha256`, and `sampling` as it was sent."""
    try:
        sent = arguments["gen_args_0"]
        prompt, kwargs = sent["arg_0"], sent.get("arg_1")
    except (KeyError, TypeError, AttributeError):
        return {}
    found: dict[str, Any] = {}
    if isinstance(prompt, list) and len(prompt) == 1:  # turns for an endpoint, as JSON
        prompt = prompt[0]
    if isinstance(prompt, str):
        found["prompt_sha256"] = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()
    if asked := sampling(_mapping(kwargs)):
        found["sampling"] = asked
    return found


def sampling(kwargs: dict[str, Any]) -> dict[str, Any]:
    """How texts were drawn, out of a request's arguments."""
    return {name: kwargs[name] for name in SAMPLING if isinstance(kwargs.get(name), (int, float))}


def _is_plain(fields: dict[str, Any]) -> bool:
    """Whether values are small enough to stand with each record: a merge's settings are a few words."""
    try:
        text = json.dumps(fields)
    except RecursionError:
        return False
    return len(text) < MOST and text.count("[") + text.count("{") < NESTED


def _name(value: Any) -> str | None:
    """A name on one line; it goes into cards and their headers."""
    return one_line(value, LONGEST_NAME) if isinstance(value, str) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
