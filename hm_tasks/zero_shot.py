"""What this project's tasks share as tasks of the harness: test documents, asked without examples."""

from __future__ import annotations

from typing import Any

from lm_eval.api.task import Task


class ProtocolError(ValueError):
    """A setting of a task that cannot be used; raised before any model is loaded."""


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


def whole_number(metadata: dict[str, Any], name: str) -> int:
    """A setting that must be a whole number above 0.

    Raises:
        ProtocolError: it is not.
    """
    value = metadata[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ProtocolError(f"{name}={value!r}: expected a whole number above 0.")
    return value
