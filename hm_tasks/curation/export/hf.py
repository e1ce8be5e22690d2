"""A Hugging Face `datasets` folder: Parquet and a data card, as the hub keeps them.

    datasets.load_dataset("export/hf")        # offline; or upload the folder as it is

Each row has the conversation in `messages`, which trl and most trainers read, and beside it where
it is from. What a source did not tell is null; `provenance` holds all that it did tell, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.export.card import Card
from hm_tasks.curation.export.conversation import messages

FILE = "data/train-00000-of-00001.parquet"
ROW_GROUP = 1000  # rows that are held in memory at a time

_OF_RECORD = ("id", "problem", "entry_point", "program", "reasoning", "status", "behaviour")
_OF_PROVENANCE = ("model", "base", "instruct", "fingerprint", "prompt_sha256", "dataset", "task")
_INT64 = range(-(2**63), 2**63)


class HubSet:
    """`data/train-00000-of-00001.parquet` and the card, with its YAML header."""

    def __init__(self, folder: Path, card: Card, files: ExitStack) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        text = pa.string()
        message = pa.struct([("role", text), ("content", text)])
        self._schema = pa.schema(
            [("messages", pa.list_(message))]
            + [(name, text) for name in (*_OF_RECORD, *_OF_PROVENANCE)]
            + [("alpha", pa.float64()), ("seed", pa.int64()), ("provenance", text)]
        )
        self._card = card
        self._group: list[dict[str, Any]] = []
        self._table = pa.Table
        (folder / "data").mkdir()
        self._writer = files.enter_context(pq.ParquetWriter(folder / FILE, self._schema))
        files.callback(self._flush)  # before the writer is closed

    def add(self, record: Candidate, user: str, assistant: str) -> None:
        self._group.append({"messages": messages(user, assistant)} | _columns(record))
        if len(self._group) == ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._group:
            self._writer.write_table(self._table.from_pylist(self._group, self._schema))
            self._group = []

    def readme(self, rows: int, left_out: Mapping[str, int]) -> str:
        form = (
            "`messages` is the conversation; `provenance` is what the sample's source told, as JSON, "
            "and the columns beside it are its most wanted parts, null where it did not tell: "
            f"{', '.join(f'`{name}`' for name in self._schema.names[1:-1])}. `alpha` is null as well "
            "where it is a gradient and no number."
        )
        header = self._card.header(rows, left_out, FILE)
        return header + self._card.markdown(form, rows, left_out)


def _columns(record: Candidate) -> dict[str, Any]:
    told = record.provenance
    columns: dict[str, Any] = {name: _utf8(getattr(record, name)) for name in _OF_RECORD}
    for name in _OF_PROVENANCE:
        value = told.get(name)
        columns[name] = None if value is None else _utf8(str(value))
    return columns | {
        "alpha": _number(told.get("alpha"), float),
        "seed": _number(told.get("seed"), int),
        "provenance": json.dumps(told, sort_keys=True),
    }


def _number(value: Any, kind: type) -> Any:
    """The value as a number where it is one that its column can hold, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if kind is int:
        return value if isinstance(value, int) and value in _INT64 else None
    try:
        return float(value)
    except OverflowError:
        return None


def _utf8(text: str) -> str:
    """The text with lone surrogates, which no UTF-8 can hold, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
