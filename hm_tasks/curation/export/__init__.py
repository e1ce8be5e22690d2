"""Curated records as training sets, each a folder that appears whole or not at all.

    EXPORTS["openai"](Path("5_selected.jsonl"), Path("export/openai"), card)

The same records and the same card give the same bytes, with the same versions of the libraries that
write them. Records are read one at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from hm_tasks.curation.export.card import Card
from hm_tasks.curation.export.hf import export_hf
from hm_tasks.curation.export.llamafactory import export_llamafactory
from hm_tasks.curation.export.openai import export_openai

EXPORTS: Mapping[str, Callable[[Path, Path, Card], Counter[str]]] = {
    "llamafactory": export_llamafactory,
    "openai": export_openai,
    "hf": export_hf,
}
