"""What a judge is asked: the words of a rubric, or a prompt of the user's own.

>>> from hm_tasks.sorry_bench.rubric import FULFILMENT
>>> prompt = load_prompt(None, FULFILMENT)    # this project's words; FILE:NAME for others
>>> [message["role"] for message in prompt.messages("a request", "an answer")]
['user']
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hm_models.errors import UsageError
from hm_models.files.text_files import TextFileError, json_lines, read_text
from hm_tasks.judges.rubric import Rubric
from hm_tasks.quoting import mark_for, quoted

_FIELD = re.compile(r"\{(\w+)\}")


class PromptError(UsageError, ValueError):
    """A judge's prompt that cannot be read."""


@dataclasses.dataclass(frozen=True)
class JudgePrompt:
    """How a judge is asked.

    Attributes:
        name: for results; the rubric's, or the name in the file.
        template: with the rubric's fields in braces, and `{mark}` where texts are fenced.
        rubric: what is decided, and how the answer is read.
        system: a system turn; empty for none.
        fenced: quote the texts line by line, and put a mark around them.
        score_only: the judge is asked for the number and nothing else.
        turns: request and answer are themselves the conversation, and the template is not used: the
            model's own chat template says what is asked.
        body: what is sent beside model, messages and limits.
    """

    name: str
    template: str
    rubric: Rubric
    system: str = ""
    fenced: bool = False
    score_only: bool = False
    turns: bool = False
    body: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 of everything that shapes what is asked."""
        parts: list[Any] = [self.template, self.system, self.fenced]
        if self.turns or self.body:
            parts += [self.turns, self.body]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def messages(self, *shown: str) -> list[dict[str, str]]:
        """The conversation that asks for a verdict on what is shown, in the order of the fields."""
        if self.turns:
            question, answer = shown
            return [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ]
        texts = dict(zip(self.rubric.fields, shown, strict=True))
        if self.fenced:
            texts = {name: quoted(text) for name, text in texts.items()}
            texts["mark"] = mark_for(*shown)
        # One pass: an answer that contains "{question}" stays as it is.
        content = _FIELD.sub(lambda match: texts.get(match[1], match[0]), self.template)
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": content}]


def load_prompt(where: str | None, rubric: Rubric) -> JudgePrompt:
    """The rubric's own words, or a prompt of a file in the format of SORRY-Bench's judge_prompts.jsonl.

    Args:
        where: `FILE:NAME`; None for the rubric's own words.

    Raises:
        PromptError: no such file or name, or no prompt in it.
    """
    if where is None:
        return JudgePrompt(rubric.name, read_text(rubric.file).strip(), rubric, fenced=True)
    file, _, name = str(where).rpartition(":")
    if not file or not name:
        raise PromptError(
            f"judge_prompts={where!r}: expected FILE:NAME, as judge_prompts.jsonl:base-#thescore."
        )
    path = Path(file).expanduser()
    try:
        known = {str(line.value["name"]): line.value for line in json_lines(path)}
    except TextFileError as error:
        raise PromptError(f"judge_prompts: cannot be read: {error}") from None
    except (OSError, KeyError, TypeError) as error:
        raise PromptError(
            f"judge_prompts: {path} cannot be read as JSON lines with a name each ({error!r})."
        ) from None
    if name not in known:
        raise PromptError(
            f"judge_prompts: {path} has no prompt {name!r}; it has {', '.join(sorted(known))}."
        )
    template = str(known[name].get("prompt_template") or "")
    fields = [f"{{{field}}}" for field in rubric.fields]
    if any(field not in template for field in fields):
        raise PromptError(
            f"judge_prompts: prompt_template of {name!r} in {path} lacks {' or '.join(fields)}."
        )
    return JudgePrompt(
        name,
        template,
        rubric,
        str(known[name].get("system_prompt") or ""),
        score_only="scoreonly" in (known[name].get("output_format"), name.rpartition("-")[2]),
    )
