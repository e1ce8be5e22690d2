"""Which turn each part of a harness's plain prompt belongs to, for models that chat.

Without `--apply_chat_template` the harness glues system instruction, description, examples, question
and the beginning of the answer into one text. `note_origin` writes down whose prompt a request is, as
requests are built; `ask_in_turns` takes the text apart again, for models that chat:

    system instruction -> system | description, examples, question -> user | gen_prefix -> assistant
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.api.utils import requires_delimiter

# The attribute of a request that `note_origin` sets.
ORIGIN = "plain_origin"


def note_origin(task: Any, system: str | None) -> None:
    """Note at a task's requests of plain prompts the task and the harness's `--system_instruction`."""
    if isinstance(task, ConfigurableTask):  # other classes build prompts in their own ways
        for request in task.instances:
            setattr(request, ORIGIN, (task, system or ""))


def ask_in_turns(request: Instance, apply_chat_template: Callable[..., str]) -> None:
    """Put the conversation that a request's plain prompt stands for into its arguments, in place."""
    # Kept, so that a request which is asked again is not wrapped again.
    prompt, *rest = request.__dict__.setdefault("plain_args", request.args)
    turns = turns_of(request, prompt)
    goes_on = turns[-1]["role"] == "assistant"
    chat = apply_chat_template(turns, add_generation_prompt=not goes_on)
    request.arguments = (chat, *rest)


def turns_of(request: Instance, prompt: str) -> list[dict[str, str]]:
    """The turns of a plain prompt; all of it is the user's where nothing is known of it."""
    before, behind = [], []
    if origin := request.__dict__.get(ORIGIN):
        task, system = origin
        head = _head(task, request.doc, system)
        if head and prompt.startswith(head):
            before = [{"role": "system", "content": system}]
            prompt = prompt.removeprefix(head)
        prefix = task.doc_to_prefix(request.doc) or ""
        tail = _tail(task, request.doc, prefix)
        if tail and prompt.endswith(tail):
            behind = [{"role": "assistant", "content": prefix}]
            prompt = prompt.removesuffix(tail)
    return [*before, {"role": "user", "content": prompt}, *behind]


def _head(task: ConfigurableTask, doc: dict, system: str) -> str:
    """The system instruction with what the harness puts between it and a description."""
    description = task.resolve_field(doc, task.config.description) or ""
    between = system and description and requires_delimiter(system, description)
    return system + (task.config.fewshot_delimiter if between else "")


def _tail(task: ConfigurableTask, doc: dict, prefix: str) -> str:
    """The beginning of the answer with what the harness puts before it, and leaves out in chats."""
    question = task.doc_to_text(doc) if prefix else ""
    between = isinstance(question, str) and prefix and requires_delimiter(question, prefix)
    return (task.config.target_delimiter if between else "") + prefix
