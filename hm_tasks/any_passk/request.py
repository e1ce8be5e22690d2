"""A request of the inner task, which keeps what the model tells of its samples; its prompt is untouched."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from lm_eval.api.instance import Instance

from hm_models.prompts.conversation import ask_in_turns, ask_plainly
from hm_tasks.answered import ToldRequest


@dataclasses.dataclass
class WrappedRequest(ToldRequest):
    """One question of the inner task, asked n times.

    Attributes:
        question: the question's text, as the inner task's `doc_to_text` has it.
    """

    question: str = ""

    @classmethod
    def of(cls, inner: Instance, task: str, calls: int, **own: Any) -> WrappedRequest:
        """The inner task's request, asked so many times by the task of that name; `own` are further fields."""
        return cls(
            request_type=inner.request_type,
            doc=inner.doc,
            arguments=inner.arguments,
            idx=inner.idx,
            metadata=(task, inner.doc_id, calls),
            task_name=task,
            doc_id=inner.doc_id,
            **own,
        )

    def use_prompt_style(self, style: str, apply_chat_template: Callable[..., Any] | None) -> None:
        if style == "chat":
            assert apply_chat_template is not None, "chat style needs the model's chat template"
            if self.verbalized is None:
                ask_in_turns(self, apply_chat_template)
            else:
                ask_in_turns(self, self.verbalized.asking(apply_chat_template))
                self.verbalized.check(self.arguments[0])
        else:
            ask_plainly(self)
        self.style = style

    def of_the_problem(self) -> list[str]:
        return [self.question] if self.question else []
