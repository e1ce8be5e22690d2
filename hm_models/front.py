"""How text reaches the model: its tokenizer and chat template, without its weights.

Prompts are part of what an answer is kept under, and a run whose answers are all known should start no
engine; so prompts are rendered here, by the harness's own code for its `hf` models.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

from hm_models.thinking import Thinking


class Front:
    """Tokenizer and chat template of a checkpoint, as the harness's backend would use them.

    Args:
        folder: the checkpoint whose tokenizer and chat template count.
        backend: `vllm` or `hf`; the harness's two classes pass `enable_thinking` on differently.
        arguments: the backend's; `tokenizer`, `trust_remote_code`, `chat_template_args` and
            `enable_thinking` matter here.
    """

    def __init__(self, folder: Path, backend: str, arguments: Mapping[str, Any]) -> None:
        self._source = str(arguments.get("tokenizer") or folder)
        self._remote = arguments.get("trust_remote_code", False)
        self._think_end_token = arguments.get("think_end_token")
        self.chat_template_args = dict(arguments.get("chat_template_args") or {})
        thinking = arguments.get("enable_thinking")
        if backend == "vllm":  # a template's own arguments win, and None is passed on too
            self.chat_template_args.setdefault("enable_thinking", thinking)
        elif thinking is not None:
            self.chat_template_args["enable_thinking"] = thinking

    @cached_property
    def tokenizer(self):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._source, trust_remote_code=self._remote)

    @cached_property
    def thinking(self) -> Thinking:
        """How the model marks its thoughts."""
        return Thinking.of(self.tokenizer, self._think_end_token)

    @property
    def name(self) -> str:
        """What the harness calls this tokenizer in file names."""
        return self.tokenizer.name_or_path.replace("/", "__")

    def render(self, chat_history: list[dict], add_generation_prompt: bool = True) -> str:
        """The conversation as one prompt; without `add_generation_prompt` its last turn goes on."""
        from lm_eval.models.huggingface import HFLM

        return HFLM.apply_chat_template(self, chat_history, add_generation_prompt)  # type: ignore

    def template(self, chat_template: bool | str) -> str | None:
        """The text of the chat template that the harness logs."""
        return TemplateLM.chat_template(self, chat_template)  # type: ignore[arg-type]
