"""The harness's log of a task's samples, `samples_*.jsonl` of `--log_samples`, read back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from hm_tasks.execution.problem import Verdict


class LogError(ValueError):
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
    try:
        lines = file.read_text(encoding="utf-8").split("\n")  # texts may hold other breaks
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{file} cannot be read: {error}.") from None
    log = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                log.append(logged(json.loads(line)))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise LogError(
                    f"{file}, line {number}: not a line of the harness's samples_*.jsonl ({error!r})."
                ) from None
    if not log:
        raise LogError(f"{file} holds no samples.")
    return log


def logged(line: dict[str, Any]) -> Logged:
    """One line of a log, parsed.

    Raises:
        ValueError, KeyError, TypeError, IndexError: it is no such line.
    """
    (texts,) = line["resps"]
    doc = line["doc"] if isinstance(line["doc"], dict) else {}
    found = line["filtered_resps"][0]
    names = {field.name for field in dataclasses.fields(Verdict)}
    records = [_record(text) for text in found] if isinstance(found, list) else []
    ours = bool(records) and all(record and set(record) <= names for record in records)
    return Logged(
        question=str(doc.get("task_id", line["doc_id"])),
        entry_point=str(doc.get("entry_point", "")),
        prompt=_prompt(line["arguments"]["gen_args_0"]["arg_0"]),
        texts=[str(text) for text in texts],
        verdicts=[Verdict(**record) for record in records if record] if ours else [],
    )


def _prompt(logged: Any) -> str:
    # The harness logs turns that it sent to an endpoint as a list with their JSON.
    return str(logged[0]) if isinstance(logged, list) and len(logged) == 1 else str(logged)


def _record(text: Any) -> dict[str, Any] | None:
    """A verdict as the harness logs it: JSON in a string."""
    try:
        record = json.loads(text)
    except (ValueError, TypeError):
        return None
    return record if isinstance(record, dict) else None
