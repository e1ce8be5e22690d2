"""The requests of SORRY-Bench: from the hub's gated data set, or from a copy of the user's own.

    SORRY_BENCH_PATH=question.jsonl lm_eval --tasks sorry_bench ...

The data set's licence forbids passing it on, so that nothing of it is in this project, and messages
name lines and counts, never a request.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from hm_models.files.text_files import MALFORMED, TextFileError, json_lines, read_text
from hm_tasks.benchmark_file import DatasetError, from_hub, own_copy
from hm_tasks.sorry_bench.categories import BASE, MUTATIONS, RELEASES, Release

PATH_VARIABLE = "SORRY_BENCH_PATH"


@dataclasses.dataclass(frozen=True)
class Request:
    """One request to a model, as the task's document has it.

    Attributes:
        question_id: the data set's number, the same in every prompt style.
        category: its label in the release.
        prompt_style: `base` or the mutation's name.
        request: the text.
    """

    question_id: int
    category: str
    prompt_style: str
    dataset_version: str
    request: str


@dataclasses.dataclass(frozen=True)
class Requests:
    """All requests of one prompt style, in file order, and where they are from."""

    release: Release
    requests: list[Request]
    facts: dict[str, Any]  # for the results: version, style, counts, SHA-256, source


def load_requests(version: object, style: str) -> Requests:
    """The requests of one release in one prompt style.

    Raises:
        DatasetError: there is no such release, no access, a damaged file, or another release's.
    """
    if (release := RELEASES.get(str(version))) is None:
        raise DatasetError(f"dataset_version={version!r}: expected {' or '.join(RELEASES)}.")
    if style != BASE and style not in MUTATIONS:
        raise DatasetError(f"prompt style {style!r}: expected {BASE}, {', '.join(MUTATIONS)}.")
    path, source = _find(release, style)
    try:
        sha256 = hashlib.sha256(read_text(path).encode()).hexdigest()
        found = [
            _request(line.value, f"{path}, line {line.number}", release)
            for line in json_lines(path)
        ]
    except TextFileError as error:
        raise DatasetError(str(error)) from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None
    requests = [one for one in found if one is not None and one.prompt_style == style]
    if not requests:
        styles = sorted({one.prompt_style for one in found if one is not None})
        raise DatasetError(
            f"{path} has no request in prompt style {style!r}; it has {', '.join(styles) or 'none'}."
        )
    facts = {
        "version": release.version,
        "prompt_style": style,
        "prompts": len(requests),
        "categories": len({request.category for request in requests}),
        "complete": len(requests) == release.prompts,
        "without_text": sum(request is None for request in found),
        "sha256": sha256,
        "source": source,
    }
    return Requests(release, requests, facts)


def _find(release: Release, style: str) -> tuple[Path, str]:
    """The file of that style, and what to call its source."""
    name = "question.jsonl" if style == BASE else f"question_{style}.jsonl"
    if path := own_copy(PATH_VARIABLE, name):
        beside = path.with_name(name)  # of the file with the base style, where that is named
        return (beside if style != BASE and beside.exists() else path), "local file"
    mend = (
        "The data set is gated: "
        f"1. accept its licence on the hub's page datasets/{release.repository}; "
        "2. make a token there that may read gated repositories; "
        "3. run `hf auth login`, or set HF_TOKEN; "
        "4. see that HF_HUB_OFFLINE is not set. "
        f"Or set {PATH_VARIABLE} to a copy of question.jsonl, or to the folder that holds it."
    )
    return from_hub(release.repository, name, mend)


def _request(record: Any, where: str, release: Release) -> Request | None:
    """A line's request; None where it has no text, as some mutated lines of the data set."""
    try:
        question_id, category = int(record["question_id"]), int(record["category"])
        turns = record["turns"]
    except MALFORMED as error:
        raise DatasetError(
            f"{where}: not a line of SORRY-Bench's question.jsonl, which has question_id, category (a "
            f"number) and turns ({type(error).__name__})."
        ) from None
    if not 1 <= category <= len(release.names):
        other = next(r for r in RELEASES.values() if r is not release)
        raise DatasetError(
            f"{where}: category {category} is not in release {release.version}, which has "
            f"{len(release.names)}. If this is release {other.version}, say so: --metadata "
            f'\'{{"dataset_version": "{other.version}"}}\'.'
        )
    text = turns[0] if isinstance(turns, list) and turns else turns
    if not isinstance(text, str) or not text.strip():
        return None
    style = str(record.get("prompt_style") or BASE)
    return Request(question_id, release.label(category), style, release.version, text)
