"""A request to the model under test, in both prompt styles, and a benchmark of such requests.

The benchmarks that are judged ask without a system prompt: the request alone, as a user turn; a base
model continues it.
"""

from __future__ import annotations

from typing import Any

from hm_metrics.entropy import TokenSums
from hm_metrics.measures import Diversity
from hm_models.prompts.rendered import ApplyChatTemplate, asked, rendered
from hm_tasks.answered import AnsweredRequest
from hm_tasks.zero_shot import ZeroShotTask


class BareRequest(AnsweredRequest):
    """One of the benchmark's requests, which its doc has as `request`."""

    def chat_prompt(self, apply_chat_template: ApplyChatTemplate, whose: str) -> Any:
        return rendered(apply_chat_template, asked(self.doc["request"], self.system), whose)

    def completion_prompt(self) -> str:
        return self.doc["request"]

    def of_the_problem(self) -> list[str]:
        return [self.doc["request"]]


class BareTask(ZeroShotTask):
    """A benchmark of such requests, of which no answer is the right one."""

    _diversity: Diversity
    _instances: list[BareRequest] | None

    def doc_to_text(self, doc: dict[str, Any]) -> str:
        return doc["request"]

    def doc_to_target(self, doc: dict[str, Any]) -> str:
        return ""  # nothing that an answer should be

    def new_request(self, **fields: Any) -> BareRequest:
        return BareRequest(**fields)

    def build_all_requests(self, **kwargs: Any) -> None:
        super().build_all_requests(**kwargs)
        for request in self._instances or []:
            request.measure_tokens = TokenSums if self._diversity.wants_tokens else None
