"""What this project's tasks share as tasks of the harness: test documents, asked without examples."""

from __future__ import annotations

import abc
import logging
from collections.abc import Sequence
from typing import Any

from hm_metrics.entropy import TokenSums
from hm_metrics.measures import Diversity
from hm_models.prompts.conversation import RENDERED, TracedArguments
from hm_models.samples.generation import checked
from hm_models.settings import ProtocolError
from hm_tasks import asked_prompts, copies
from hm_tasks.answered import keeps_thoughts
from hm_tasks.own_scoring import OwnScoring, request_fields

logger = logging.getLogger(__name__)


class ZeroShotTask(OwnScoring):
    """A task over `_docs`; the harness's system prompt is kept in `_system`."""

    _docs: list[dict[str, Any]]
    _diversity: Diversity
    _system: str | None = None

    def test_docs(self) -> list[dict[str, Any]]:
        return self._docs

    def fewshot_context(self, doc: dict[str, Any], num_fewshot: int = 0, **kwargs: Any) -> str:
        if num_fewshot:
            raise ProtocolError(
                f"{self.task_name} is a zero-shot task: --num_fewshot {num_fewshot} cannot be used."
            )
        self._system = kwargs.get("system_instruction")
        return self.doc_to_text(doc)

    @abc.abstractmethod
    def new_request(self, **fields: Any) -> Any:
        """An Instance of the task's own kind, which has `use_prompt_style`."""

    def construct_requests(self, doc: dict[str, Any], ctx: str, **kwargs: Any) -> Any:
        copies.refuse(
            str(self.task_name), self.config.repeats, self.config.generation_kwargs, self._model
        )
        request = self.new_request(
            request_type="generate_until",
            doc=doc,
            arguments=(),
            idx=0,
            target=self.doc_to_target(doc),
            **request_fields(self, kwargs),
            system=self._system,
            generation_kwargs=checked(self.config.generation_kwargs or {}),
        )
        request.keeps_thoughts = keeps_thoughts(self.config.metadata or {})
        apply = kwargs.get("chat_template") if kwargs.get("apply_chat_template") else None
        if apply is None and asked_prompts.takes_turns_alone(self._model):
            apply = self._model.apply_chat_template
        if apply is None:
            request.use_prompt_style("completion", None)
        else:
            request.use_prompt_style("chat", apply, asked_prompts.whose_template(self._model))
            request.arguments = TracedArguments.of(request.arguments, RENDERED)
        return request

    def build_all_requests(self, **kwargs: Any) -> None:
        super().build_all_requests(**kwargs)
        for request in self._instances or []:
            # Not before: the harness may keep requests in a file.
            request.measure_tokens = TokenSums if self._diversity.wants_tokens else None

    def note_samples(self, requests: Sequence[Any]) -> None:
        """Note how the questions were asked, for reports; count cut prompts, warn of copies."""
        prompts = asked_prompts.note(requests, self.config.metadata, self.task_name, self._model)
        if self._system and prompts.get("style") == "completion":
            prompts["system"] = "left out"
            logger.warning(
                "%s: completion prompts have no system turn: --system_instruction was left out.",
                self.task_name,
            )
