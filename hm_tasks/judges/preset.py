"""Judges by name: local guard models, with the form of their prompt and how their answer is read.

    --metadata '{"judge": "preset:qwen3guard", "judge_base_url": "http://localhost:8000/v1"}'

    >>> names()
    ['llama-guard-3', 'qwen3guard', 'shieldgemma', 'sorry-bench', 'wildguard']
    >>> from hm_tasks.sorry_bench.rubric import FULFILMENT
    >>> preset = load_preset("llama-guard-3")
    >>> preset.prompt(FULFILMENT, None).rubric.read("unsafe\\nS9", False)
    1

Each is a YAML in `presets/` (`.yml`, since the harness takes every `.yaml` for a task): the model and how it
is served under its name, for people; `prompt`, which is `turns` (request and answer as a user's and an
assistant's turn, for the chat template that the model brings) or `file` (a prompt of the user's, as
`judge_prompts`); `body`, what else is sent; `reads`, for each rubric that it can decide, patterns in order
and the score of each.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hm_models.files.text_files import read_text
from hm_tasks.judges.prompt import JudgePrompt, PromptError, load_prompt
from hm_tasks.judges.rubric import Rubric
from hm_tasks.judges.words import own_words

FOLDER = Path(__file__).with_name("presets")
PREFIX = "preset:"
TURNS, FILE = "turns", "file"


def names() -> list[str]:
    """Those that there are."""
    return sorted(file.stem for file in FOLDER.glob("*.yml"))


@dataclasses.dataclass(frozen=True)
class Preset:
    """One judge.

    Attributes:
        name: also what it is served as.
        form: TURNS or FILE.
        body: what is sent beside model, messages and limits.
        reads: rubric to patterns and their scores; the first that is found counts.
        digest: of the YAML: a changed one asks anew.
    """

    name: str
    form: str
    body: Mapping[str, Any]
    reads: Mapping[str, list[tuple[re.Pattern[str], int]]]
    digest: str

    def prompt(self, rubric: Rubric, where: str | None) -> JudgePrompt:
        """How it is asked for what the rubric decides.

        Args:
            where: `FILE:NAME` of the user's prompt; None for none.

        Raises:
            PromptError: it cannot decide that, or lacks a prompt.
        """
        if rubric.name not in self.reads:
            able = [name for name in names() if rubric.name in load_preset(name).reads]
            raise PromptError(
                f"judge={PREFIX}{self.name} says nothing that decides {rubric.name!r}. Presets that do: "
                f"{', '.join(able) or 'none'}; any chat model does, by our rubric."
            )
        read = functools.partial(_read, self.reads[rubric.name])
        own = dataclasses.replace(rubric, read=read, expected=f"answer in the form of {self.name}")
        name = f"{PREFIX}{self.name} {rubric.name} {self.digest}"
        if self.form == TURNS:
            return JudgePrompt(name, "", own, turns=True, body=self.body)
        if where is None:
            raise PromptError(
                f"judge={PREFIX}{self.name} was trained on a prompt that is not ours to pass on: take it from "
                f"its card, and name it with judge_prompts=FILE:NAME (see {self.name}.yml)."
            )
        given = load_prompt(where, own)
        return dataclasses.replace(given, name=f"{name} {given.name}", body=self.body)


def _read(patterns: list[tuple[re.Pattern[str], int]], text: str, score_only: bool) -> int | None:
    words = own_words(text)
    return next((score for pattern, score in patterns if pattern.search(words)), None)


def load_preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        PromptError: there is none.
    """
    if name not in names():
        raise PromptError(
            f"judge={PREFIX}{name}: there is no such preset; there are {', '.join(names())}."
        )
    text = read_text(FOLDER / f"{name}.yml")
    found = yaml.safe_load(text)
    return Preset(
        name=name,
        form=found["prompt"],
        body=found.get("body", {}),
        reads={
            rubric: [(re.compile(pattern), score) for pattern, score in lines]
            for rubric, lines in found["reads"].items()
        },
        digest=hashlib.sha256(text.encode()).hexdigest()[:12],
    )
