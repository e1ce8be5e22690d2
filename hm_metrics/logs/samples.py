"""The harness's log of a task's samples, `samples_*.jsonl` of `--log_samples`, read back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from hm_metrics.verdict import FAIL, PASS, TIMEOUT, UNSCORED, Verdict
from hm_models.errors import UsageError
from hm_models.files.text_files import MALFORMED, TextFileError, json_lines, parse_json

_FIELDS = {field.name for field in dataclasses.fields(Verdict)}
_NEEDED = {"program", "base_status", "plus_status"}
_STATUSES = (PASS, FAIL, TIMEOUT, UNSCORED)


class LogError(UsageError, ValueError):
    """A file that is no such log."""


@dataclasses.dataclass(frozen=True)
class Logged:
    """One question's line.

    Attributes:
        question: its task_id, or the number of its document.
        entry_point: the function that a program is asked for; empty for other tasks.
        prompt: as it was sent.
        texts: the raw samples.
        verdicts: what the pass@k tasks of this project found of each; none for other tasks.
    """

    question: str
    entry_point: str
    prompt: str
    texts: list[str]
    verdicts: list[Verdict]


def read_log(file: Path) -> list[Logged]:
    """The questions of a log, in order.

    Raises:
        LogError: the file is missing, empty, or no such log.
    """
    log = []
    try:
        for line in json_lines(file):
            try:
                log.append(logged(line.value))
            except MALFORMED as error:
                raise LogError(why_no_log(file, line.number, error)) from None
    except TextFileError as error:
        raise LogError(str(error)) from None
    except OSError as error:
        raise LogError(f"{file} cannot be read: {error}.") from None
    if not log:
        raise LogError(f"{file} holds no samples.")
    return log


def why_no_log(file: Path, number: int, error: Exception) -> str:
    """A sentence on a line that is JSON and none of a log."""
    what = str(error) if isinstance(error, LogError) else f"{type(error).__name__}: {error}"
    return f"{file}, line {number}: not a line of the harness's samples_*.jsonl ({what[:200]})."


def logged(line: dict[str, Any]) -> Logged:
    """One line of a log, parsed.

    Raises:
        MALFORMED: it is no such line.
    """
    (texts,) = line["resps"]
    doc = line["doc"] if isinstance(line["doc"], dict) else {}
    return Logged(
        question=str(doc.get("task_id", line["doc_id"])),
        entry_point=str(doc.get("entry_point", "")),
        prompt=_prompt(line["arguments"]["gen_args_0"]["arg_0"]),
        texts=[str(text) for text in texts],
        verdicts=verdicts_of(line["filtered_resps"][0]),
    )


def _prompt(logged: Any) -> str:
    # The harness logs turns that it sent to an endpoint as a list with their JSON.
    return str(logged[0]) if isinstance(logged, list) and len(logged) == 1 else str(logged)


def verdicts_of(found: Any) -> list[Verdict]:
    """What a line's filter made of its samples; none where that is no list of our verdicts.

    Raises:
        LogError: some are verdicts and others are not, or one has a field that is not as it should be.
    """
    if not isinstance(found, list) or not found:
        return []
    verdicts = [verdict for text in found if (verdict := _verdict(text))]
    if verdicts and len(verdicts) < len(found):
        raise LogError(f"{len(verdicts)} of {len(found)} samples have a verdict, the others none")
    return verdicts


def _verdict(text: Any) -> Verdict | None:
    """A verdict as the harness logs it: JSON in a string."""
    if not isinstance(text, str) or not (text.startswith("{") and '"base_status"' in text):
        return None
    try:
        record = parse_json(text)
    except ValueError as error:
        raise LogError(f"a verdict cannot be read: {error}") from None
    if not _NEEDED <= set(record) <= _FIELDS:
        raise LogError(f"a verdict has {', '.join(sorted(record))[:80]}, not {', '.join(_FIELDS)}")
    for name, value in record.items():
        if not isinstance(value, str):
            raise LogError(f"a verdict's {name} is a {type(value).__name__}, not text")
        if name.endswith("_status") and value not in _STATUSES:
            raise LogError(f"a verdict's {name} is {value[:40]!r}, not one of {_STATUSES}")
    return Verdict(**record)
