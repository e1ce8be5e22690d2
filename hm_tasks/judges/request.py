"""A request to the model under test, in both prompt styles, and what became of its samples.

The benchmarks that are judged ask without a system prompt: the request alone, as a user turn; a base
model continues it.
"""

from __future__ import annotations

from typing import Any

from hm_models.prompts.rendered import ApplyChatTemplate, asked, rendered
from hm_tasks.answered import AnsweredRequest


class BareRequest(AnsweredRequest):
    """One of the benchmark's requests, which its doc has as `request`."""

    def chat_prompt(self, apply_chat_template: ApplyChatTemplate, whose: str) -> Any:
        return rendered(apply_chat_template, asked(self.doc["request"], self.system), whose)

    def completion_prompt(self) -> str:
        return self.doc["request"]

    def of_the_problem(self) -> list[str]:
        return [self.doc["request"]]
