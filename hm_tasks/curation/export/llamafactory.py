"""A data folder for LLaMA-Factory: the set in its alpaca and in its sharegpt form.

Source: LLaMA-Factory's data/README.md. Both forms train on the same conversations: an alpaca row's
`instruction` and `input` are joined by a line break, which gives the user's turn of the sharegpt
row. Train with

    llamafactory-cli train ... --dataset_dir export/llamafactory --dataset NAME_sharegpt
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hm_models.files.text_files import write_text
from hm_tasks.code_passk.prompts import INSTRUCTION
from hm_tasks.curation.export.card import Card
from hm_tasks.curation.export.conversation import conversations
from hm_tasks.curation.export.folder import whole_folder, write_lines

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


def export_llamafactory(records_file: Path, folder: Path, card: Card) -> Counter[str]:
    """Write `alpaca.jsonl`, `sharegpt.jsonl`, `dataset_info.json` and the card into `folder`.

    Returns:
        How many `rows` each form has and, by reason, how many records were left out.
    """
    with whole_folder(folder) as partial:
        for form, row in FORMS.items():
            left_out: Counter[str] = Counter()
            rows = write_lines(
                partial / DATASET_INFO[form]["file_name"], _rows(records_file, left_out, row)
            )
        entries = {f"{card.name}_{form}": entry for form, entry in DATASET_INFO.items()}
        info = json.dumps(entries, indent=2)
        write_text(partial / "dataset_info.json", info + "\n")
        described = (
            "`alpaca.jsonl` and `sharegpt.jsonl` hold the same conversations in LLaMA-Factory's "
            "two forms; "
            f"`dataset_info.json` calls them {' and '.join(f'`{entry}`' for entry in entries)}."
        )
        write_text(partial / "README.md", card.markdown(described, rows, left_out))
    return Counter({"rows": rows, **left_out})


def _rows(
    records_file: Path, left_out: Counter[str], row: Callable[[str, str], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for _, user, assistant in conversations(records_file, left_out):
        yield row(user, assistant)


def _alpaca(user: str, assistant: str) -> dict[str, Any]:
    # The instruction is one line, and LLaMA-Factory puts the break back between the two.
    _, problem = user.split(f"{INSTRUCTION}\n", 1)
    return {"instruction": INSTRUCTION, "input": problem, "output": assistant}


def _sharegpt(user: str, assistant: str) -> dict[str, Any]:
    return {
        "conversations": [
            {"from": "human", "value": user},
            {"from": "gpt", "value": assistant},
        ]
    }


FORMS = {"alpaca": _alpaca, "sharegpt": _sharegpt}
