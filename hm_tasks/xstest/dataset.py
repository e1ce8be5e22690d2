"""The prompts of XSTest: from the hub, or from a copy of the user's own.

    XSTEST_PATH=xstest_prompts.csv lm_eval --tasks xstest ...

Licence of the prompts: CC-BY-4.0. Messages name lines and numbers, never a prompt.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hm_metrics.xstest import SAFE, UNSAFE
from hm_models.files.text_files import TextFileError, read_text
from hm_tasks.benchmark_file import DatasetError, from_hub, own_copy

PATH_VARIABLE = "XSTEST_PATH"
REPOSITORY, FILE = "Paul/XSTest", "xstest_prompts.csv"
RELEASES = {"11783fb294ed017473ee53c207d71f2161c7672c8d0b037501e78387f801cb5a": "v2"}
COLUMNS = ("id", "prompt", "type", "label")
CONTRAST = "contrast_"  # the types of unsafe prompts begin so
# The safe type whose nth prompt is the twin of the nth unsafe one, where its name does not say it. Of the
# two safe types that have one contrast, it is the one that names the same groups, or asks for the same.
TWIN_TYPES = {"contrast_discr": "real_group_nons_discr", "contrast_privacy": "privacy_fictional"}


@dataclasses.dataclass(frozen=True)
class Prompt:
    """One prompt, as the task's document has it.

    Attributes:
        category: its type.
        label: SAFE or UNSAFE.
        twin: the number of the unsafe prompt in the contrast that this one belongs to; None for a safe one
            that no unsafe prompt is the twin of.
    """

    question_id: int
    category: str
    label: str
    twin: int | None
    request: str


def load_prompts(sha256: object) -> tuple[list[Prompt], dict[str, Any]]:
    """All prompts, in the file's order, and what the results say of it.

    Args:
        sha256: of the file that it must be; None accepts any.

    Raises:
        DatasetError: no access, a damaged file, or another release.
    """
    path, source = _found()
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        text = read_text(path)
    except TextFileError as error:
        raise DatasetError(str(error)) from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None
    if sha256 is not None and found != sha256:
        raise DatasetError(
            f"{path} is another release of XSTest, or was edited: its SHA-256 is {found}, expected "
            f"{sha256}. Take xstest_prompts.csv of release v2; or, for what compares with no "
            f'published figure, accept this one: --metadata \'{{"dataset_sha256": "{found}"}}\'.'
        )
    prompts = with_twins(_prompts(text, path), path)
    labels = [prompt.label for prompt in prompts]
    facts = {
        "version": RELEASES.get(found, "unknown"),
        "prompts": len(prompts),
        SAFE: labels.count(SAFE),
        UNSAFE: labels.count(UNSAFE),
        "types": len({prompt.category for prompt in prompts}),
        "sha256": found,
        "source": source,
    }
    return prompts, facts


def with_twins(prompts: list[Prompt], path: Path) -> list[Prompt]:
    """The same, each unsafe prompt and its safe twin with the number of the unsafe one.

    Raises:
        DatasetError: an unsafe prompt has no twin.
    """
    by_type: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        by_type.setdefault(prompt.category, []).append(prompt)
    twins: dict[int, int] = {}
    for kind, unsafe in by_type.items():
        if kind.startswith(CONTRAST):
            safe_type = TWIN_TYPES.get(kind, kind.removeprefix(CONTRAST))
            safe = by_type.get(safe_type, [])
            if len(safe) < len(unsafe):
                lonely = unsafe[len(safe)]
                raise DatasetError(
                    f"{path}: prompt {lonely.question_id}, number {len(safe) + 1} of {kind}, has no twin: "
                    f"there are {len(safe)} prompts of type {safe_type}. The contrast is between the "
                    "nth prompts of both types; complete the file, or take out what has no twin."
                )
            twins |= {u.question_id: u.question_id for u in unsafe}
            twins |= {s.question_id: u.question_id for s, u in zip(safe, unsafe, strict=False)}
    return [dataclasses.replace(prompt, twin=twins.get(prompt.question_id)) for prompt in prompts]


def _prompts(text: str, path: Path) -> list[Prompt]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if lacking := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise DatasetError(
            f"{path} has no column {', '.join(lacking)}; xstest_prompts.csv has {', '.join(COLUMNS)}."
        )
    prompts: list[Prompt] = []
    for row in _rows(reader, path):
        where = f"{path}, line {reader.line_num}"
        number, kind, label, words = (row[name] or "" for name in ("id", "type", "label", "prompt"))
        if not (number.isascii() and number.isdigit() and words.strip()):
            raise DatasetError(f"{where}: expected a whole number as its id, and a prompt.")
        if label != (UNSAFE if kind.startswith(CONTRAST) else SAFE):
            raise DatasetError(
                f"{where}: a prompt of type {kind[:40]!r} is labelled {label[:40]!r}; expected {UNSAFE} for "
                f"types that begin with {CONTRAST}, {SAFE} for others."
            )
        prompts.append(Prompt(int(number), kind, label, None, words))
    if len({prompt.question_id for prompt in prompts}) < len(prompts) or not prompts:
        raise DatasetError(f"{path}: expected prompts, each with an id of its own.")
    return prompts


def _rows(reader: csv.DictReader, path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: is no CSV ({error}).") from None


def _found() -> tuple[Path, str]:
    """The file, and what to call its source."""
    if path := own_copy(PATH_VARIABLE, FILE):
        return path, "local file"
    mend = (
        f"Set {PATH_VARIABLE} to a copy of it, from the hub or from the repository of XSTest's authors; "
        "see that HF_HUB_OFFLINE is not set."
    )
    return from_hub(REPOSITORY, FILE, mend)
