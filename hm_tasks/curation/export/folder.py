"""A folder that appears whole or not at all, and files of JSON lines in it.

with whole_folder(Path("OUT/export/openai")) as partial: write_lines(partial / "train.jsonl", rows)
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hm_tasks.curation import disk
from hm_tasks.curation.disk import to_disk


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write into, which takes `folder`'s place at the end of the block.

    An earlier `folder` stays until then, and for good where the block raises. What a killed run left
    is put right by the next one.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    earlier = folder.with_name(f".{folder.name}.earlier")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if earlier.exists() and not folder.exists():  # killed between the two renames below
        os.replace(earlier, folder)
    for left in (partial, earlier):
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        for path in [*partial.rglob("*"), partial]:
            to_disk(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if folder.exists():
        os.replace(folder, earlier)
    os.replace(partial, folder)
    to_disk(folder.parent)
    shutil.rmtree(earlier, ignore_errors=True)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON lines and return how many.

    Everything but ASCII is escaped: U+2028 and its like are ends of lines to some readers.
    """
    return disk.write_lines(path, map(json.dumps, rows))
