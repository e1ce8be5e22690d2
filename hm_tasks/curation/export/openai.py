"""Chat JSONL for fine-tuning at OpenAI, and at whoever reads its format.

Source: OpenAI's guide to supervised fine-tuning: one object a line, with `messages` alone, of which
each has `role` and `content`; the last is the assistant's. Fewer than ten are refused there.

    export_openai(Path("5_selected.jsonl"), Path("export/openai"), card)
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from hm_models.files.text_files import write_text
from hm_tasks.curation.export.card import Card
from hm_tasks.curation.export.conversation import conversations
from hm_tasks.curation.export.folder import whole_folder, write_lines

FILE = "train.jsonl"
LEAST = 10  # examples that OpenAI asks for

log = logging.getLogger(__name__)


def export_openai(records_file: Path, folder: Path, card: Card) -> Counter[str]:
    """Write `train.jsonl` and the card into `folder`.

    Returns:
        How many `rows` were written and, by reason, how many records were left out.
    """
    left_out: Counter[str] = Counter()
    with whole_folder(folder) as partial:
        rows = write_lines(
            partial / FILE,
            (
                {
                    "messages": [
                        {"role": "user", "content": user},
                        {"role": "assistant", "content": assistant},
                    ]
                }
                for _, user, assistant in conversations(records_file, left_out)
            ),
        )
        form = f"`{FILE}` holds one conversation a line, in OpenAI's chat format."
        write_text(partial / "README.md", card.markdown(form, rows, left_out))
    if rows < LEAST:
        # By its name alone: it may lie in a draft as yet.
        log.warning("%s has %d examples; OpenAI takes files from %d on.", folder.name, rows, LEAST)
    return Counter({"rows": rows, **left_out})
