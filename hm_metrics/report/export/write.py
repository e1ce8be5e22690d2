"""Write a report's rows in another tool's format, below the report's folder.

export("eee", rows, Path("REPORT"), developer="me", with_requests=False)
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from hm_metrics.report.export import eee, inspect_log
from hm_metrics.report.rows import Row
from hm_models.files.text_files import write_text

FORMATS = ("eee", "inspect")


def export(
    kind: str, rows: Sequence[Row], output: Path, developer: str, with_requests: bool
) -> list[Path]:
    """The files that were written, below `output`/`kind`.

    Args:
        kind: one of FORMATS.
        developer: of merges, and of checkpoints in folders.
        with_requests: whether SORRY-Bench's requests, and the answers to them, are in samples.

    Raises:
        ExportError: a row needs a developer.
    """
    made = (
        eee.records(rows, developer, time.time())
        if kind == "eee"
        else inspect_log.logs(rows, developer, with_requests)
    )
    files = []
    for name, content in made:
        file = output / kind / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(content, indent=1, allow_nan=False) + "\n")
        files.append(file)
    return files
