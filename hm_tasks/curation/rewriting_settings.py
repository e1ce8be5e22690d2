"""How samples are rewritten: the settings of a run, checked before anything is read.

settings = RewriteSettings.of({"rewrite": "gpt-4.1-mini", "rewrite_limit": 100, ...})
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from hm_models.endpoints.client import Endpoint, EndpointError
from hm_models.endpoints.settings import how_to_ask
from hm_models.files.places import cache_folder
from hm_models.files.text_files import TextFileError, read_text
from hm_models.settings import ProtocolError, number, whole_number
from hm_tasks.curation.candidate import Candidate
from hm_tasks.quoting import mark_for, quoted
from hm_tasks.traces.markers import MARKERS

PROMPT = Path(__file__).with_name("rewrite_prompt.txt")
_FIELDS = ("statement", "answer", "program", "mark")
_FIELD = re.compile(rf"\{{({'|'.join(_FIELDS)})\}}")

# Name, type, default and meaning of each, for a command line.
OPTIONS: dict[str, tuple[type, Any, str]] = {
    "rewrite_base_url": (str, None, "endpoint (OPENAI_BASE_URL, else OpenAI's own)"),
    "rewrite_prompt": (
        str,
        None,
        "FILE with {statement}, {answer}, {program}, {mark} (our prompt)",
    ),
    "rewrite_temperature": (float, 0.0, "of the first try (0)"),
    "rewrite_max_tokens": (int, 4096, "of an answer (4096)"),
    "rewrite_concurrency": (int, 16, "calls in flight (16)"),
    "rewrite_timeout_s": (float, 180.0, "deadline of each try (180)"),
    "rewrite_attempts": (int, 8, "tries of a call that fails (8)"),
    "rewrite_limit": (int, None, "most samples to send in one run (all)"),
}


@dataclasses.dataclass(frozen=True)
class RewriteSettings:
    """Who rewrites, and how it is asked.

    Attributes:
        model: its name at its endpoint.
        template: the prompt, with a place for each of _FIELDS.
        temperature: of the first try; see `rewrite.RETRY_TEMPERATURE` for others.
        max_tokens: of an answer.
        endpoint: where it is asked.
        limit: most samples that are sent in one run; None for all.
    """

    model: str
    template: str = dataclasses.field(default_factory=lambda: read_text(PROMPT))
    temperature: float = 0.0
    max_tokens: int = 4096
    endpoint: Endpoint = dataclasses.field(default_factory=lambda: Endpoint(timeout_s=180.0))
    limit: int | None = None

    @classmethod
    def of(cls, metadata: dict[str, Any]) -> RewriteSettings:
        """The settings under `rewrite`, which is the model, and the names in OPTIONS.

        Raises:
            ProtocolError: a value that cannot be, or an endpoint that cannot be asked.
            CacheError: rewrites cannot be kept.
        """
        cache_folder()
        model = metadata["rewrite"]
        if not isinstance(model, str) or not model.strip():
            raise ProtocolError(f"rewrite={model!r}: expected a model's name.")
        endpoint, limit = how_to_ask(metadata, "rewrite")
        attempts = whole_number(metadata, "rewrite_attempts")
        settings = cls(
            model=model,
            template=_load(metadata["rewrite_prompt"]),
            temperature=number(metadata, "rewrite_temperature", least=0.0, most=2.0),
            max_tokens=whole_number(metadata, "rewrite_max_tokens"),
            endpoint=dataclasses.replace(endpoint, attempts=attempts),
            limit=limit,
        )
        try:
            settings.endpoint.key()
        except EndpointError as error:
            raise ProtocolError(
                f"The rewriter {model} cannot be asked. {error} (rewrite_base_url names another.)"
            ) from None
        return settings

    @cached_property
    def prompt_sha256(self) -> str:
        return hashlib.sha256(self.template.encode()).hexdigest()

    def identity(self) -> dict[str, Any]:
        """What shapes the answers, for keys and summaries."""
        return {
            "rewriter": self.model,
            "endpoint": self.endpoint.public_url,
            "prompt_sha256": self.prompt_sha256,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }

    def messages(self, record: Candidate) -> list[dict[str, str]]:
        """The conversation that asks for a rewrite."""
        texts = {
            "statement": quoted(record.statement),
            "answer": quoted(record.text),
            # As it is: the model is to copy it.
            "program": record.program,
            "mark": mark_for(record.statement, record.text, record.program),
        }
        # One pass: a sample that contains "{program}" stays as it is.
        content = _FIELD.sub(lambda match: texts[match[1]], self.template)
        return [{"role": "user", "content": content}]


def _load(where: str | None) -> str:
    path = Path(where).expanduser() if where else PROMPT
    try:
        template = read_text(path)
    except (OSError, TextFileError) as error:
        raise ProtocolError(
            f"rewrite_prompt: {path} cannot be read as UTF-8 text ({error})."
        ) from None
    wanted = (*(f"{{{name}}}" for name in _FIELDS), *MARKERS)
    if missing := [part for part in wanted if part not in template]:
        raise ProtocolError(
            f"rewrite_prompt: {path} lacks {', '.join(missing)}. Start from a copy of {PROMPT}."
        )
    return template
