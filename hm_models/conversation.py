"""Which turn each part of a harness's plain prompt belongs to, for models that chat.

Without `--apply_chat_template` the harness glues system instruction, description, examples, question
and the beginning of the answer into one text. `note_parts` writes down, as requests are built, what it
began and ended with; `turns_of` takes it apart again:

    system instruction -> system | description, examples, question -> user | gen_prefix -> assistant
"""

from __future__ import annotations

from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.api.utils import requires_delimiter

# The attribute of a request that `note_parts` sets.
PARTS = "plain_parts"


def note_parts(task: Any, system: str | None) -> None:
    """Note at the requests of a task's plain prompts what in them is no user's words.

    Args:
        system: the harness's `--system_instruction`.
    """
    if not isinstance(task, ConfigurableTask):  # other classes build prompts in their own ways
        return
    for request in task.instances:
        if request.request_type != "generate_until":
            continue
        prefix = task.doc_to_prefix(request.doc) or ""
        if not prefix and not system:
            continue
        # With what the harness puts between, which it leaves out in chats.
        head, tail = system or "", prefix
        description = task.resolve_field(request.doc, task.config.description) or ""
        if head and description and requires_delimiter(head, description):
            head += task.config.fewshot_delimiter
        question = task.doc_to_text(request.doc) if prefix else ""
        if prefix and isinstance(question, str) and requires_delimiter(question, prefix):
            tail = task.config.target_delimiter + tail
        setattr(request, PARTS, {"system": system, "prefix": prefix, "head": head, "tail": tail})


def turns_of(request: Instance, prompt: str) -> list[dict[str, str]]:
    """The turns of a plain prompt; all of it is the user's where nothing else was noted."""
    parts = request.__dict__.get(PARTS)
    if parts is None:
        return [{"role": "user", "content": prompt}]
    before, behind = [], []
    if parts["head"] and prompt.startswith(parts["head"]):
        before = [{"role": "system", "content": parts["system"]}]
        prompt = prompt.removeprefix(parts["head"])
    if parts["tail"] and prompt.endswith(parts["tail"]):
        behind = [{"role": "assistant", "content": parts["prefix"]}]
        prompt = prompt.removesuffix(parts["tail"])
    return [*before, {"role": "user", "content": prompt}, *behind]
