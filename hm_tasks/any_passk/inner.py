"""The inner task: the task of the harness that is wrapped, loaded as the harness loads it, or refused.

load_inner("gsm8k_cot", "gsm8k_passk")
load_inner({"task": "gsm8k_cot", "num_fewshot": 0}, "mine")      # with what a YAML may override
load_inner("my_group::my_task", "mine")                          # defined within a group's YAML
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager

from hm_models.plugin.task_manager import as_written, manager
from hm_models.settings import ProtocolError
from hm_tasks.any_passk.inner_scoring import judges_at_once

GENERATING = "generate_until"
HOW = '--tasks any_passk --metadata \'{"passk_of": "gsm8k_cot"}\''
MOST_NAMED = 5  # members of a group in a sentence


def load_inner(passk_of: Any, wrapper: str, known: TaskManager | None = None) -> ConfigurableTask:
    """The task that is to be asked n times.

    Args:
        passk_of: its name, or a mapping with its name under `task` and what is to differ in it.
        wrapper: the name of the task that wraps it, for errors.
        known: who knows the harness's tasks; by default who is loading tasks right now.

    Raises:
        ProtocolError: there is no such task, or none that can be asked n times.
    """
    given = passk_of if isinstance(passk_of, Mapping) else {"task": passk_of}
    name = given.get("task")
    if not name or not isinstance(name, str):
        raise ProtocolError(
            f"{wrapper}: passk_of={passk_of!r}: expected the name of a task of the harness, as in {HOW}."
        )
    known = known or manager()
    task = _found(known, name, dict(given), wrapper)
    _refuse(task.OUTPUT_TYPE, task.config.repeats, name, wrapper)
    if judges_at_once(task):
        raise ProtocolError(
            f"{wrapper}: passk_of={name!r} cannot be asked n times: it judges all answers of a run at "
            "once, and not one sample by itself. Its own n_samples, where it has one, is what to use."
        )
    return task


def doc_as_json(doc: Any) -> str:
    """A question as one text, the same for a logged one that was read back."""
    return json.dumps(doc, sort_keys=True, default=str)


def digest_of(docs: Iterable[Any]) -> str:
    """SHA-256 of questions, in order."""
    found = hashlib.sha256()
    for doc in docs:
        found.update(doc_as_json(doc).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _found(known: TaskManager, name: str, given: dict[str, Any], wrapper: str) -> Any:
    group, inside, _ = name.rpartition("::")
    plain, at, _ = name.partition("@")
    if at and name not in known.all_tasks and plain in known.all_tasks:
        raise ProtocolError(
            f"{wrapper}: passk_of={name!r}: prompt formats of a task are not supported here. Name {plain!r}."
        )
    if name not in known.all_tasks and not (inside and group in known.all_groups):
        near = difflib.get_close_matches(name, known.all_subtasks, n=3)
        hint = f" The nearest: {', '.join(near)}." if near else ""
        raise ProtocolError(
            f"{wrapper}: passk_of={name!r}: the harness knows no task of this name.{hint} "
            "`lm_eval ls tasks` lists all; --include_path names a folder of your own."
        )
    if inside:
        members = known.load([group])["tasks"]
        if name in members:
            return members[name]
        raise ProtocolError(f"{wrapper}: passk_of={name!r}: {_members(group, members)}")
    written = as_written(known, name)  # so that what cannot be costs no download of its data
    if name in known.all_groups or name in known.all_tags:
        members = [
            m if isinstance(m, str) else m.get("task", m.get("group")) for m in written["task"]
        ]
        raise ProtocolError(f"{wrapper}: passk_of={name!r}: {_members(name, members)}")
    asked = written | given
    _refuse(asked.get("output_type"), asked.get("repeats"), name, wrapper)
    # A mapping alone is a task of its own to the harness; in a group it is one that differs.
    spec = {"group": wrapper, "task": [given]} if len(given) > 1 else name
    (task,) = known.load([spec])["tasks"].values()
    return task


def _members(group: str, members: Collection[Any]) -> str:
    first = ", ".join(sorted(map(str, members))[:MOST_NAMED])
    more = f" and {len(members) - MOST_NAMED} more" if len(members) > MOST_NAMED else ""
    return f"{group} is a group. Name one of its tasks: {first}{more}."


def _refuse(kind: str | None, repeats: int | None, name: str, wrapper: str) -> None:
    """Raise ProtocolError for a task that cannot be asked n times, by its output_type and repeats."""
    why = ""
    if kind is not None and kind != GENERATING:
        why = (
            f"its output_type is {kind}: it does not generate answers, so that there are no samples. "
            f"Name a task that does ({GENERATING})"
        )
    elif (repeats or 1) > 1:
        why = (
            f"it asks {repeats} times by itself (repeats). Name the task without repeats, and say how "
            "often here: n_samples"
        )
    if why:
        raise ProtocolError(f"{wrapper}: passk_of={name!r} cannot be asked n times: {why}.")
