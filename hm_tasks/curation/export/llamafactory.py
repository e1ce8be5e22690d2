"""A data folder for LLaMA-Factory: the set in its alpaca and in its sharegpt form.

Source: LLaMA-Factory's data/README.md. Both forms train on the same conversations: an alpaca row's
`instruction` and `input` are joined by a line break, which gives the user's turn of the sharegpt
row. Train with

    llamafactory-cli train ... --dataset_dir export/llamafactory --dataset NAME_sharegpt
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hm_models.files.text_files import write_text
from hm_tasks.code_passk.prompts import INSTRUCTION
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.export.card import Card
from hm_tasks.curation.export.conversation import json_line

DATASET_INFO: dict[str, dict[str, Any]] = {
    "alpaca": {
        "file_name": "alpaca.jsonl",
        "formatting": "alpaca",
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    },
    "sharegpt": {
        "file_name": "sharegpt.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "conversations"},
        "tags": {
            "role_tag": "from",
            "content_tag": "value",
            "user_tag": "human",
            "assistant_tag": "gpt",
        },
    },
}


class LlamaFactorySet:
    """`alpaca.jsonl`, `sharegpt.jsonl`, `dataset_info.json` and the card."""

    def __init__(self, folder: Path, card: Card, files: ExitStack) -> None:
        self._card = card
        self._forms = [
            (files.enter_context((folder / DATASET_INFO[form]["file_name"]).open("xb")), row)
            for form, row in FORMS.items()
        ]
        self._entries = {f"{card.name}_{form}": entry for form, entry in DATASET_INFO.items()}
        write_text(folder / "dataset_info.json", json.dumps(self._entries, indent=2) + "\n")

    def add(self, record: Candidate, user: str, assistant: str) -> None:
        for file, row in self._forms:
            file.write(json_line(row(user, assistant)))

    def readme(self, rows: int, left_out: Mapping[str, int]) -> str:
        names = " and ".join(f"`{entry}`" for entry in self._entries)
        form = (
            "`alpaca.jsonl` and `sharegpt.jsonl` hold the same conversations in LLaMA-Factory's "
            f"two forms; `dataset_info.json` calls them {names}."
        )
        return self._card.markdown(form, rows, left_out)


def _alpaca(user: str, assistant: str) -> dict[str, Any]:
    # The instruction is one line, and LLaMA-Factory puts the break back between the two.
    problem = user.removeprefix(f"{INSTRUCTION}\n")
    if problem == user:  # a question of a task
        return {"instruction": user, "input": "", "output": assistant}
    return {"instruction": INSTRUCTION, "input": problem, "output": assistant}


def _sharegpt(user: str, assistant: str) -> dict[str, Any]:
    return {
        "conversations": [
            {"from": "human", "value": user},
            {"from": "gpt", "value": assistant},
        ]
    }


FORMS = {"alpaca": _alpaca, "sharegpt": _sharegpt}
