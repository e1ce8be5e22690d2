"""How a task's questions were asked: by whose template, and a digest of what all prompts share."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from hm_models.samples.truncation import would_cut
from hm_tasks import copies

logger = logging.getLogger(__name__)

# Models of the harness behind endpoints that take turns and nothing else.
CHAT_MODELS = (
    ("lm_eval.models.openai_completions", "LocalChatCompletion"),
    ("lm_eval.models.anthropic_llms", "AnthropicChat"),
)


def takes_turns_alone(model: Any) -> bool:
    """Whether a model cannot be asked in a plain text, whatever the command line says."""
    # Not imported: a model's module is there if the model is.
    modules = [(sys.modules.get(module), name) for module, name in CHAT_MODELS]
    return any(module and isinstance(model, getattr(module, name)) for module, name in modules)


def whose_template(model: Any) -> str:
    """The model's chat template by name, to begin a sentence."""
    name = getattr(getattr(model, "tokenizer", None), "name_or_path", "")
    return f"The chat template of {name}" if name else "The model's chat template"


def note(
    requests: Sequence[Any], metadata: dict[str, Any], task: str, model: Any
) -> dict[str, str]:
    """Note how the questions were asked, for reports; count cut prompts, warn of copies.

    Args:
        requests: with their samples.
        metadata: the task's; `prompts` is written into it and returned.
        model: the harness's; None where it is not known.
    """
    prompts = metadata["prompts"] = facts(requests)
    for request in requests:  # of models that tell of their samples this is known by now
        if would_cut(model, *request.args):
            request.cut_prompts = len(request.resps)
    if warning := copies.warning([request.said for request in requests]):
        logger.warning("%s: %s", task, warning)
    return prompts


def facts(requests: Sequence[Any]) -> dict[str, str]:
    """Style and SHA-256 of the first question's prompt, without what is this question's in it."""
    if not requests:
        return {}
    first = min(requests, key=lambda request: request.doc_id or 0)
    prompt = first.args[0]
    # What endpoints take is turns as JSON, in a class of the harness's.
    text = prompt if isinstance(prompt, str) else str(getattr(prompt, "prompt", prompt))
    for part in sorted(first.of_the_problem(), key=len, reverse=True):
        inside = part if isinstance(prompt, str) else json.dumps(part, ensure_ascii=False)[1:-1]
        text = text.replace(inside, "")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {"style": first.style, "sha256": digest}
