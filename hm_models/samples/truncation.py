"""Prompts that are longer than the model's context leaves room for: what is cut is counted.

Both backends of the harness cut such prompts and generate all the same. The fact stays with the answer,
so that answers which are used again keep it.

>>> is_cut(cut_of(tokens=1100, room=1024)), is_cut(cut_of(tokens=900, room=1024))
(True, False)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from lm_eval.models.utils import normalize_gen_kwargs

# The harness's own models that cut prompts themselves: to max_length less what is generated.
CUTTING = (
    ("lm_eval.models.huggingface", "HFLM"),
    ("lm_eval.models.vllm_causallms", "VLLM"),
    ("lm_eval.models.api_models", "TemplateAPI"),
)
# Of an answer's facts: how many tokens of its prompt the model did not see.
CUT = "prompt_tokens_cut"


def cut_of(tokens: int, room: int) -> dict[str, int]:
    """The fact for an answer whose prompt has `tokens` where there is room for `room`."""
    return {CUT: tokens - room} if tokens > room else {}


def is_cut(facts: Mapping[str, Any]) -> bool:
    """Whether an answer's prompt was cut."""
    return CUT in facts


def would_cut(model: Any, prompt: Any, gen_kwargs: Mapping[str, Any]) -> bool:
    """Whether a model of the harness cuts this prompt; False where that cannot be known."""
    # Not imported: a model's module is there if the model is.
    classes = [(sys.modules.get(module), name) for module, name in CUTTING]
    cuts = any(module and isinstance(model, getattr(module, name)) for module, name in classes)
    if not cuts or not isinstance(prompt, str) or not getattr(model, "tokenized_requests", True):
        return False
    room = model.max_length - normalize_gen_kwargs(dict(gen_kwargs))["max_gen_toks"]
    return bool(cut_of(len(model.tok_encode(prompt)), room))


def cut_warning(cut: int, answers: int) -> str:
    """What is said of answers whose prompts were cut."""
    return (
        f"{cut} of {answers} answers are to prompts that are longer than the context leaves room for: "
        "their beginning was cut, as the harness does it, so that problem or instructions may be gone. "
        "Ask for fewer tokens (max_gen_toks), or give the model a longer context (max_length, "
        "max_model_len)."
    )
