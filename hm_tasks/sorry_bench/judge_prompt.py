"""What a judge is asked: this project's rubric, or a prompt of SORRY-Bench's own.

    >>> prompt = load_prompt(None)                # this project's rubric; FILE:NAME for another
    >>> [message["role"] for message in prompt.messages("a request", "an answer")]
    ['user']

How the answer is read is in `hm_tasks.sorry_bench.score`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path

from hm_models.errors import UsageError
from hm_models.files.text_files import TextFileError, json_lines, read_text
from hm_tasks.quoting import mark_for, quoted

RUBRIC = "rubric"
_RUBRIC_FILE = Path(__file__).with_name("rubric.txt")
_FIELD = re.compile(r"\{(question|answer|mark)\}")


class PromptError(UsageError, ValueError):
    """A judge's prompt that cannot be read."""


@dataclasses.dataclass(frozen=True)
class JudgePrompt:
    """How a judge is asked.

    Attributes:
        name: for results; `rubric`, or the name in the file.
        template: with `{question}` and `{answer}`, and `{mark}` where texts are fenced.
        system: a system turn; empty for none.
        fenced: quote request and answer line by line, and put a mark around them.
        score_only: the judge is asked for the number and nothing else.
    """

    name: str
    template: str
    system: str = ""
    fenced: bool = False
    score_only: bool = False

    def digest(self) -> str:
        """SHA-256 of everything that shapes what is asked."""
        parts = json.dumps([self.template, self.system, self.fenced])
        return hashlib.sha256(parts.encode()).hexdigest()

    def messages(self, request: str, answer: str) -> list[dict[str, str]]:
        """The conversation that asks for a verdict."""
        texts = {"question": request, "answer": answer, "mark": ""}
        if self.fenced:
            texts = {name: quoted(text) for name, text in texts.items()}
            texts["mark"] = mark_for(request, answer)
        # One pass: an answer that contains "{question}" stays as it is.
        content = _FIELD.sub(lambda match: texts[match[1]], self.template)
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": content}]


def load_prompt(where: str | None) -> JudgePrompt:
    """This project's rubric, or a prompt of a file in the format of SORRY-Bench's judge_prompts.jsonl.

    Args:
        where: `FILE:NAME`; None for the rubric.

    Raises:
        PromptError: no such file or name, or no prompt in it.
    """
    if where is None:
        return JudgePrompt(RUBRIC, read_text(_RUBRIC_FILE).strip(), fenced=True)
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
    if "{question}" not in template or "{answer}" not in template:
        raise PromptError(
            f"judge_prompts: prompt_template of {name!r} in {path} lacks {{question}} or {{answer}}."
        )
    return JudgePrompt(
        name,
        template,
        str(known[name].get("system_prompt") or ""),
        score_only="scoreonly" in (known[name].get("output_format"), name.rpartition("-")[2]),
    )
