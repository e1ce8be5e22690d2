"""The samples of every question across rows, one question at a time: what the page's browser shows.

Each log is read at the places of the question alone, so that 50 logs never lie in memory together.
SORRY-Bench may not be passed on, and answers repeat it: its requests and answers stay out unless they
are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tqdm import tqdm

from hm_metrics.logs.labelled import of_log
from hm_metrics.logs.samples import Logged
from hm_metrics.logs.task_log import ANSWERS, CODE, CONTRASTS, REFUSALS, Log
from hm_metrics.report.rows import Row
from hm_metrics.report.samples_blob import PageSample, Question
from hm_metrics.verdict import FAIL, PASS, UNSCORED
from hm_metrics.xstest import LABELS
from hm_models.files.text_files import MALFORMED
from hm_models.shown.escaping import one_line
from hm_models.shown.screen import bar_settings

WITHHELD = "(left out: SORRY-Bench may not be passed on; --with_requests puts it in)"
ANSWER = 200  # letters of an answer that are shown beside the text
# What a score says, by kind of log.
VERDICTS: dict[str, dict[int | None, str]] = {
    REFUSALS: {1: "fulfilled", 0: "refused"},
    CONTRASTS: {score: words.replace("_", " ") for score, words in LABELS.items()},
}


def questions(
    rows: Sequence[Row], with_requests: bool = False, quiet: bool = True
) -> Iterator[Question]:
    """Every question of every task, with the samples of those rows that have it."""
    for task in dict.fromkeys(task for row in rows for task in row.logs):
        logs = {row.point.id: row.logs[task] for row in rows if task in row.logs}
        names = list(dict.fromkeys(name for log in logs.values() for name in log.questions))
        for name in tqdm(names, desc=f"Writing samples of {task}", **bar_settings(quiet)):
            found = {row: lines for row, log in logs.items() if (lines := log.at(name))}
            kinds = {row: logs[row].kind for row in found}
            first = next(iter(found))
            yield Question(
                task=task,
                question=_title(found[first][0], name, kinds[first]),
                prompt=_prompt(found[first][0], kinds[first], with_requests),
                samples={
                    row: _samples(lines, logs[row], with_requests) for row, lines in found.items()
                },
                entry_point=found[first][0].entry_point,
            )


def _title(line: Logged, name: str, kind: str) -> str:
    return f"{name}: {line.doc['category']}" if kind in VERDICTS else name


def _prompt(line: Logged, kind: str, with_requests: bool) -> str:
    """The problem itself where the log has it: prompts differ by style from row to row."""
    if kind == REFUSALS:
        return str(line.doc["request"]) if with_requests else WITHHELD
    if kind == CONTRASTS:
        return str(line.doc["request"])
    if kind == CODE:
        return str(line.doc.get("prompt", "")) or line.prompt
    try:
        return line.prompt
    except MALFORMED:  # other people's tasks have what they have
        return str(line.record["doc"])


def _samples(lines: list[Logged], log: Log, with_requests: bool) -> list[PageSample]:
    if log.kind == ANSWERS:
        return [_graded(lines, log, number) for number in range(len(lines[0].samples))]
    if log.kind == CODE:
        return [
            PageSample(text, v.program, v.base_status, v.plus_status, v.reason)
            for text, v in zip(lines[0].texts, lines[0].verdicts, strict=False)
        ]
    if log.kind in VERDICTS:
        is_withheld = log.kind == REFUSALS and not with_requests
        return [
            PageSample(
                WITHHELD if is_withheld else answer.answer or "",
                base=VERDICTS[log.kind].get(answer.score, UNSCORED),
                reason=answer.judgment.unscored if answer.judgment else "",
            )
            for answer in of_log(lines[0])
        ]
    noted = [
        f"{metric} {value}" + (f" ({line.filter})" if len(lines) > 1 else "")
        for line in lines
        for metric, value in line.numbers.items()
    ]
    texts = lines[0].record["resps"] if lines[0].several else lines[0].samples
    return [PageSample(str(text), reason=", ".join(noted)) for text in texts]


def _graded(lines: list[Logged], log: Log, number: int) -> PageSample:
    """A sample's text, whether it is right by the headline, and what each filter made of it."""
    grade, headline = lines[0].grades[number], log.headline
    word = UNSCORED if grade.status == UNSCORED else ""
    if headline and not word and "" in log.binary:
        word = PASS if grade.scores[headline.metric] == 1.0 else FAIL
    text, told = lines[0].texts[number], []
    for line in lines:
        found = line.grades[number]
        scores = ", ".join(f"{metric} {score:g}" for metric, score in found.scores.items())
        # A filter may leave the text as it is, as of tasks that read all of it.
        answer = "" if found.answer == text else f"answer {one_line(found.answer, ANSWER)}"
        parts = [answer if found.answer else "no answer", scores, found.reason]
        told.append((f"{line.filter}: " if len(lines) > 1 else "") + "; ".join(filter(None, parts)))
    return PageSample(text, program=text, base=word, reason=" | ".join(told))
