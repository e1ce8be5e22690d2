"""Chat JSONL for fine-tuning at OpenAI, and at whoever reads its format.

Source: OpenAI's guide to supervised fine-tuning: one object a line, with `messages` alone, of which
each has `role` and `content`; the last is the assistant's. Fewer than ten are refused there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.export.card import Card
from hm_tasks.curation.export.conversation import json_line, messages

FILE = "train.jsonl"
LEAST = 10  # examples that OpenAI asks for

log = logging.getLogger(__name__)


class OpenAISet:
    """`train.jsonl` and the card."""

    def __init__(self, folder: Path, card: Card, files: ExitStack) -> None:
        self._name, self._card = folder.name, card
        self._file = files.enter_context((folder / FILE).open("xb"))

    def add(self, record: Candidate, user: str, assistant: str) -> None:
        self._file.write(json_line({"messages": messages(user, assistant)}))

    def readme(self, rows: int, left_out: Mapping[str, int]) -> str:
        if rows < LEAST:
            # By its name alone: it may lie in a draft as yet.
            log.warning(
                "%s has %d examples; OpenAI takes files from %d on.", self._name, rows, LEAST
            )
        form = f"`{FILE}` holds one conversation a line, in OpenAI's chat format."
        return self._card.markdown(form, rows, left_out)
