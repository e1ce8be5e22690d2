"""The prompts of NoveltyBench's curated set: from the hub, or from a copy of the user's own.

    NOVELTY_BENCH_PATH=curated.jsonl lm_eval --tasks novelty_bench ...

Licence: MIT.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from hm_models.files.text_files import MALFORMED, TextFileError, json_lines
from hm_tasks.benchmark_file import DatasetError, in_a_line, own_copy

PATH_VARIABLE = "NOVELTY_BENCH_PATH"
REPOSITORY, SPLIT, FILE = "yimingzhang/novelty-bench", "curated", "curated.jsonl"
FIELDS = ("id", "category", "prompt")


def load_prompts(sha256: object) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """id, category and prompt of each question, in order, and what the results say of them.

    Args:
        sha256: of those three, in any file that holds them (`digest_of`); None accepts any.

    Raises:
        DatasetError: no access, a damaged file, or another release.
    """
    own = own_copy(PATH_VARIABLE, FILE)
    found, source = (_from_file(own), "local file") if own else _from_hub()
    digest = digest_of(found)
    if sha256 is not None and digest != sha256:
        raise DatasetError(
            f"{source}: these are other prompts than the released ones: their SHA-256 is {digest}, expected "
            f"{sha256}. Take curated.jsonl of NoveltyBench; or, for what compares with no published "
            f'figure, accept them: --metadata \'{{"dataset_sha256": "{digest}"}}\'.'
        )
    twice = [name for name, count in Counter(each["id"] for each in found).items() if count > 1]
    if twice or not found:
        raise DatasetError(f"{source}: expected prompts, each with an id of its own {twice[:1]}.")
    categories = len({each["category"] for each in found})
    facts = {"prompts": len(found), "categories": categories, "sha256": digest, "source": source}
    return found, facts


def digest_of(prompts: list[dict[str, str]]) -> str:
    """SHA-256 of the prompts, whatever they were read from."""
    return hashlib.sha256(
        json.dumps([[each[name] for name in FIELDS] for each in prompts]).encode()
    ).hexdigest()


def _from_file(path: Path) -> list[dict[str, str]]:
    try:
        return [_fields(line.value, f"{path}, line {line.number}") for line in json_lines(path)]
    except TextFileError as error:
        raise DatasetError(str(error)) from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None


def _from_hub() -> tuple[list[dict[str, str]], str]:
    try:
        from datasets import load_dataset

        rows = list(load_dataset(REPOSITORY, split=SPLIT))
    except Exception as error:  # the library's errors have no common base
        raise DatasetError(
            f"{SPLIT} of {REPOSITORY} cannot be had ({in_a_line(error)}). Set {PATH_VARIABLE} to a copy of "
            f"{FILE} from the repository of NoveltyBench's authors."
        ) from None
    source = f"hub: {REPOSITORY}"
    return [_fields(row, f"{source}, row {n}") for n, row in enumerate(rows, start=1)], source


def _fields(record: Any, where: str) -> dict[str, str]:
    try:
        found = {name: record[name] for name in FIELDS}
    except MALFORMED:
        found = {}
    if not found or not all(isinstance(text, str) and text.strip() for text in found.values()):
        raise DatasetError(f"{where}: expected texts named {', '.join(FIELDS)}.")
    return found
