"""A request to the model under test, in both prompt styles, and a benchmark of such requests.

The benchmarks that are judged ask without a system prompt: the request alone, as a user turn; a base
model continues it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lm_eval.config.task import TaskConfig

from hm_metrics.measures import OF_TEXTS, Diversity
from hm_models.prompts.rendered import ApplyChatTemplate, asked, rendered
from hm_models.settings import number, whole_number
from hm_tasks import table
from hm_tasks.answered import AnsweredRequest
from hm_tasks.own_scoring import settings_of
from hm_tasks.sampled import Sampled
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
    """A benchmark of such requests, of which no answer is the right one, and of which each doc has an ID."""

    ID: ClassVar[str]

    def __init__(self, config: dict[str, Any]) -> None:
        settings = settings_of(config)
        metadata = settings["metadata"]
        self._config = TaskConfig(**settings, repeats=whole_number(metadata, "n_samples"))
        self.VERSION = metadata["version"]
        table.check(metadata)
        self._max_unscored = number(metadata, "max_unscored", least=0.0, most=1.0)
        self._diversity = Diversity(metadata, OF_TEXTS)
        self._sampled: dict[Any, Sampled] = {}

    def doc_to_text(self, doc: dict[str, Any]) -> str:
        return doc["request"]

    def doc_to_target(self, doc: dict[str, Any]) -> str:
        return ""  # nothing that an answer should be

    def new_request(self, **fields: Any) -> BareRequest:
        return BareRequest(**fields)

    def note_samples(self, requests: Sequence[BareRequest]) -> None:
        """Note how they came about, and how alike they are."""
        super().note_samples(requests)
        self._sampled = {r.doc[self.ID]: Sampled.of(r) for r in requests}
        texts = {str(r.doc[self.ID]): [answer or "" for answer in r.answers()] for r in requests}
        self._diversity.measure(texts)
