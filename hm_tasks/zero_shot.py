"""What this project's tasks share as tasks of the harness: test documents, asked without examples."""

from __future__ import annotations

import abc
from typing import Any

from lm_eval.api.task import Task

from hm_models.generation import checked
from hm_tasks.answered import keeps_thoughts
from hm_tasks.protocol import ProtocolError


class ZeroShotTask(Task):
    """A `generate_until` task over `_docs`; the harness's system prompt is kept in `_system`."""

    OUTPUT_TYPE = "generate_until"
    _docs: list[dict[str, Any]]
    _system: str | None = None

    def has_training_docs(self) -> bool:
        return False

    def has_validation_docs(self) -> bool:
        return False

    def has_test_docs(self) -> bool:
        return True

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
    def numbers(self) -> list[str]:
        """The metrics that are a plain number of each question, where it could be scored."""

    def dump_config(self) -> dict[str, Any]:
        # The harness's W&B logger makes its table of samples from this list, and from no other.
        return super().dump_config() | {"metric_list": [{"metric": m} for m in self.numbers()]}

    @abc.abstractmethod
    def new_request(self, **fields: Any) -> Any:
        """An Instance of the task's own kind, which has `use_prompt_style`."""

    def construct_requests(self, doc: dict[str, Any], ctx: str, **kwargs: Any) -> Any:
        request = self.new_request(
            request_type="generate_until",
            doc=doc,
            arguments=(),
            idx=0,
            metadata=kwargs["metadata"],
            system=self._system,
            generation_kwargs=checked(self.config.generation_kwargs or {}),
        )
        request.keeps_thoughts = keeps_thoughts(self.config.metadata or {})
        style = "chat" if kwargs.get("apply_chat_template") else "completion"
        request.use_prompt_style(style, kwargs.get("chat_template"))
        return request
