"""Curated records as training sets, each a folder; one pass over the records writes them all.

    export(read_records(Path("5_selected.jsonl")), {"openai": Path("export/openai")}, card)

The same records and the same card give the same bytes, with the same versions of the libraries that
write them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from hm_models.files.text_files import write_text
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.export.card import Card
from hm_tasks.curation.export.conversation import conversations
from hm_tasks.curation.export.hf import HubSet
from hm_tasks.curation.export.llamafactory import LlamaFactorySet
from hm_tasks.curation.export.openai import OpenAISet


class TrainingSet(Protocol):
    """One form of training set. Made with its folder, the card, and what closes its files."""

    def add(self, record: Candidate, user: str, assistant: str) -> None:
        """Write one conversation."""

    def readme(self, rows: int, left_out: Mapping[str, int]) -> str:
        """The folder's README.md, once all is written."""


EXPORTS: Mapping[str, Callable[[Path, Card, ExitStack], TrainingSet]] = {
    "llamafactory": LlamaFactorySet,
    "openai": OpenAISet,
    "hf": HubSet,
}


def export(records: Iterable[Candidate], folders: Mapping[str, Path], card: Card) -> Counter[str]:
    """Write the forms that are named into their folders, which must not be there.

    Returns:
        How many `rows` each form has and, by reason, how many records were left out.
    """
    left_out: Counter[str] = Counter()
    rows = 0
    with ExitStack() as files:
        sets = []
        for name, folder in folders.items():
            folder.mkdir(parents=True)
            sets.append((folder, EXPORTS[name](folder, card, files)))
        for record, user, assistant in conversations(records, left_out):
            rows += 1
            for _, one in sets:
                one.add(record, user, assistant)
    for folder, one in sets:
        write_text(folder / "README.md", one.readme(rows, left_out))
    return Counter({"rows": rows, **left_out})
