"""What log files are called in a table, and what is written beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def short_names(files: Sequence[Path]) -> dict[str, Path]:
    """Files by their folder's name, which says the model, where that tells them apart.

    >>> list(short_names([Path("/runs/alpha0.7/samples_1.jsonl"), Path("/runs/alpha1/samples_1.jsonl")]))
    ['alpha0.7', 'alpha1']
    """
    folders = {file.resolve().parent.name: file for file in files}
    return folders if len(folders) == len(files) else {str(file): file for file in files}


def stem_of(file: Path) -> str:
    """A log's name without what says its form, plain or packed.

    >>> stem_of(Path("samples_a_2026-01-01T00-00-00.5.jsonl.gz")), stem_of(Path("labelled.csv"))
    ('samples_a_2026-01-01T00-00-00.5', 'labelled')
    """
    return re.sub(r"(\.(jsonl?|csv))?(\.gz)?$", "", file.name)
