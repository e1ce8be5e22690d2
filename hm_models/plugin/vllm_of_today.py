"""The harness's `vllm` model runs with vLLM 0.32 and 0.33.

0.5.0.dev1 was made for an older vLLM: it imports a function where that had it, passes `swap_space`, which is
gone, and imports Ray for engines that vLLM has no more.

Harness: 0.4.13, which needs none of it, and 0.5.0.dev1.
Unnecessary: once its `vllm` model is 0.4.13's again, which knows where things have moved.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

# Where 0.5.0.dev1 looks for `resolve_hf_chat_template`.
OLD_PLACE = "vllm.entrypoints.chat_utils"


@contextlib.contextmanager
def before() -> Iterator[None]:
    """While entered, what `lm_eval.models.vllm_causallms` imports is there."""
    missing: dict[str, ModuleType] = {}
    if find_spec("ray") is None:
        missing["ray"] = ModuleType("ray")
    # Of a vLLM where it is elsewhere, the harness says so itself.
    with contextlib.suppress(ImportError):
        if find_spec(OLD_PLACE) is None:
            from vllm.renderers.hf import resolve_chat_template

            missing[OLD_PLACE] = ModuleType(OLD_PLACE)
            vars(missing[OLD_PLACE])["resolve_hf_chat_template"] = resolve_chat_template
    sys.modules |= missing
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def change(module: Any) -> None:
    """Leave `swap_space` out of what an engine of `lm_eval.models.vllm_causallms` is made with."""
    if "swap_space" not in inspect.signature(module.VLLM.__init__).parameters:
        return
    plain = module.LLM

    def llm(*arguments: Any, swap_space: object = None, **named: Any) -> Any:
        return plain(*arguments, **named)

    module.LLM = llm
