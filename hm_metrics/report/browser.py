"""The samples of every question across rows, one question at a time: what the page's browser shows.

Each log is read at the places of the question alone, so that 50 logs never lie in memory together.
SORRY-Bench may not be passed on, and answers repeat it: its requests and answers stay out unless they
are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hm_metrics.logs.labelled import of_log
from hm_metrics.logs.samples import logged
from hm_metrics.logs.task_log import CODE, REFUSALS, Log
from hm_metrics.report.page import Question, Sample
from hm_metrics.report.rows import Row
from hm_models.files.text_files import MALFORMED

WITHHELD = "(left out: SORRY-Bench may not be passed on; --with_requests puts it in)"
VERDICTS = {1: "fulfilled", 0: "refused", None: "unscored"}


def questions(rows: Sequence[Row], with_requests: bool = False) -> Iterator[Question]:
    """Every question of every task, with the samples of those rows that have it."""
    for task in dict.fromkeys(task for row in rows for task in row.logs):
        logs = {row.point.id: row.logs[task] for row in rows if task in row.logs}
        for name in dict.fromkeys(name for log in logs.values() for name in log.questions):
            found = {row: lines for row, log in logs.items() if (lines := log.at(name))}
            kinds = {row: logs[row].kind for row in found}
            first = next(iter(found))
            yield Question(
                task=task,
                question=_title(found[first][0], name, kinds[first]),
                prompt=_prompt(found[first][0], kinds[first], with_requests),
                samples={
                    row: _samples(lines, kinds[row], with_requests) for row, lines in found.items()
                },
                entry_point=_entry_point(found[first][0]),
            )


def count(logs: Sequence[Log]) -> int:
    """How many questions `questions` yields of one task's logs, for a progress bar."""
    return len({name for log in logs for name in log.questions})


def _title(line: dict[str, Any], name: str, kind: str) -> str:
    return f"{name}: {line['doc']['category']}" if kind == REFUSALS else name


def _entry_point(line: dict[str, Any]) -> str:
    doc = line["doc"]
    return str(doc.get("entry_point", "")) if isinstance(doc, dict) else ""


def _prompt(line: dict[str, Any], kind: str, with_requests: bool) -> str:
    """The problem itself where the log has it: prompts differ by style from row to row."""
    if kind == REFUSALS:
        return str(line["doc"]["request"]) if with_requests else WITHHELD
    if kind == CODE:
        doc = line["doc"] if isinstance(line["doc"], dict) else {}
        return str(doc.get("prompt", "")) or logged(line).prompt
    try:
        return str(line["arguments"]["gen_args_0"]["arg_0"])
    except MALFORMED:  # other people's tasks have what they have
        return str(line["doc"])


def _samples(lines: list[dict[str, Any]], kind: str, with_requests: bool) -> list[Sample]:
    if kind == CODE:
        found = logged(lines[0])
        return [
            Sample(text, v.program, v.base_status, v.plus_status, v.reason)
            for text, v in zip(found.texts, found.verdicts, strict=False)
        ]
    if kind == REFUSALS:
        return [
            Sample(
                (answer.answer or "") if with_requests else WITHHELD,
                base=VERDICTS[answer.score],
                reason=(answer.judgment.unscored if answer.judgment else "") or "",
            )
            for answer in of_log(lines[0])
        ]
    noted = [
        f"{metric} {line[metric]}" + (f" ({line['filter']})" if len(lines) > 1 else "")
        for line in lines
        for metric in line.get("metrics", ())
        if isinstance(line.get(metric), (int, float))
    ]
    resps = lines[0]["resps"]
    texts = resps[0] if len(resps) == 1 and isinstance(resps[0], list) else resps
    return [Sample(str(text), reason=", ".join(noted)) for text in texts]
