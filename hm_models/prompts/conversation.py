"""Which turn each part of a harness's plain prompt belongs to, for models that chat.

>>> request = Instance("generate_until", {}, ("2+2?", {}), 0)
>>> ask_in_turns(request, lambda turns, add_generation_prompt: str(turns))
>>> request.args[0]
"[{'role': 'user', 'content': '2+2?'}]"
>>> ask_plainly(request)
>>> request.args[0]
'2+2?'

Without `--apply_chat_template` the harness glues system instruction, description, examples, question
and the beginning of the answer into one text. `note_origin` writes down whose prompt a request has, as
requests are built; `ask_in_turns` takes the text apart again, for models that chat:

    system instruction -> system | description, examples, question -> user | gen_prefix -> assistant
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask, Task

try:
    from lm_eval.config.templates import apply_template
except ImportError:  # 0.4
    from lm_eval.utils import apply_template


@dataclasses.dataclass(frozen=True)
class PromptOrigin:
    """Where a request's prompt comes from.

    Attributes:
        prompt: the plain text that the harness made; None where it has applied the chat template itself.
        task, system: what it was made by and with, as far as that is known.
    """

    prompt: str | None
    task: Task | None = None
    system: str = ""


RENDERED = PromptOrigin(None)  # by the harness


class TracedArguments(tuple[Any, ...]):
    """A request's arguments that know where their prompt comes from; copies are plain tuples."""

    origin: PromptOrigin

    @classmethod
    def of(cls, arguments: Iterable[Any], origin: PromptOrigin) -> TracedArguments:
        traced = cls(arguments)
        traced.origin = origin
        return traced

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return tuple, (tuple(self),)  # a log that is pickled needs no task


def note_origin(task: Any, system: str | None, rendered: bool = False) -> None:
    """Note at a task's requests who made their prompts.

    Args:
        system: the harness's `--system_instruction`.
        rendered: whether it applied the chat template (`--apply_chat_template`).
    """
    # Other classes build prompts in their own ways.
    known = task if isinstance(task, Task) and _builds_as_yaml(task) else None
    for request in task.instances or ():
        if isinstance(request.arguments, tuple) and request.arguments:
            origin = PromptOrigin(None if rendered else request.arguments[0], known, system or "")
            request.arguments = TracedArguments.of(request.arguments, origin)


def _builds_as_yaml(task: Task) -> bool:
    return type(task).fewshot_context is ConfigurableTask.fewshot_context


def was_rendered(request: Instance) -> bool | None:
    """Whether the harness has applied the chat template to a request; None where it is not known."""
    arguments = request.arguments
    return arguments.origin.prompt is None if isinstance(arguments, TracedArguments) else None


def ask_in_turns(request: Instance, apply_chat_template: Callable[..., str]) -> None:
    """Put the conversation that a request's plain prompt stands for into its arguments, in place."""
    prompt, *rest = request.args
    traced = isinstance(request.arguments, TracedArguments)
    # Kept, so that a request which is asked again is not wrapped again.
    origin = request.arguments.origin if traced else PromptOrigin(prompt)
    turns = turns_of(request, origin)
    goes_on = turns[-1]["role"] == "assistant"
    chat = apply_chat_template(turns, add_generation_prompt=not goes_on)
    request.arguments = TracedArguments.of((chat, *rest), origin)


def ask_plainly(request: Instance) -> None:
    """Put the plain prompt that `ask_in_turns` has replaced back into a request's arguments, in place."""
    arguments = request.arguments
    if isinstance(arguments, TracedArguments) and arguments.origin.prompt is not None:
        prompt = arguments.origin.prompt
        request.arguments = TracedArguments.of((prompt, *arguments[1:]), arguments.origin)


def turns_of(request: Instance, origin: PromptOrigin) -> list[dict[str, str]]:
    """The turns of a plain prompt; all of it is the user's where nothing is known of it."""
    prompt, task = origin.prompt or "", origin.task
    before, behind = [], []
    if task is not None:
        head = _head(task, request.doc, origin.system)
        if head and prompt.startswith(head):
            before = [{"role": "system", "content": origin.system}]
            prompt = prompt.removeprefix(head)
        prefix = _field(task.config.gen_prefix, request.doc)
        tail = _tail(task, request.doc, prefix)
        if tail and prompt.endswith(tail):
            behind = [{"role": "assistant", "content": prefix}]
            prompt = prompt.removesuffix(tail)
    return [*before, {"role": "user", "content": prompt}, *behind]


def _head(task: Task, doc: dict, system: str) -> str:
    """The system instruction with what the harness puts between it and a description."""
    description = _field(task.config.description, doc)
    between = system and description and _needs_delimiter(system, description)
    return system + (task.config.fewshot_delimiter if between else "")


def _tail(task: Task, doc: dict, prefix: str) -> str:
    """The beginning of the answer with what the harness puts before it, and leaves out in chats."""
    question = task.doc_to_text(doc) if prefix else ""
    between = isinstance(question, str) and prefix and _needs_delimiter(question, prefix)
    return (task.config.target_delimiter if between else "") + prefix


def _needs_delimiter(before: str, behind: str) -> bool:
    """Whether the harness puts one between two texts: where there is a text and no white space."""
    return bool(before) and not (before[-1].isspace() or behind[0].isspace())


def _field(written: str | None, doc: dict) -> str:
    """What a YAML's field says of a question: one of its fields, or a template."""
    if not written:
        return ""
    return str(doc[written] if written in doc else apply_template(written, doc))
