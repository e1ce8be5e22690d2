"""One line of the harness's log of samples, `samples_*.jsonl` of --log_samples: the one reader of it.

    >>> line = Logged({"doc": {"task_id": "Mbpp/2"}, "doc_id": 0, "resps": [["a", "b"]]})
    >>> line.question, line.texts, line.verdicts
    ('Mbpp/2', ['a', 'b'], [])

A line is read as far as somebody asks: other people's tasks have what they have. What is asked for and
not there, or otherwise than it should be, raises one of MALFORMED.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from hm_metrics.judgment import Judgment
from hm_metrics.verdict import STATUSES, Verdict
from hm_metrics.xstest import LABELS
from hm_models.errors import UsageError
from hm_models.files.text_files import MALFORMED, Line, TextFileError, json_lines, parse_json

_FIELDS = {field.name for field in dataclasses.fields(Verdict)}
_NEEDED = {"program", "base_status", "plus_status"}
T = TypeVar("T")


class LogError(UsageError, ValueError):
    """A file that is no such log."""


@dataclasses.dataclass(frozen=True)
class Logged:
    """One question's samples, as one filter of the harness left them.

    Attributes:
        record: the line's JSON.
    """

    record: dict[str, Any]

    @cached_property
    def doc(self) -> dict[str, Any]:
        """The question as its data set has it; {} where that is no mapping."""
        doc = self.record["doc"]
        return doc if isinstance(doc, dict) else {}

    @property
    def question(self) -> str:
        """A name that other runs of the task give it, too."""
        if "question_id" in self.doc:
            return f"{self.doc['question_id']} {self.doc.get('prompt_style', '')}".strip()
        return str(self.problem)

    @property
    def problem(self) -> Any:
        """The task_id, or the document's number, as the log has it."""
        return self.doc["task_id"] if "task_id" in self.doc else self.record["doc_id"]

    @property
    def filter(self) -> str:
        return str(self.record.get("filter", "none"))

    @property
    def entry_point(self) -> str:
        """The function that a program is asked for; empty for other tasks."""
        return str(self.doc.get("entry_point", ""))

    @property
    def request(self) -> tuple[Any, Any]:
        """The prompt as it was sent, and how it was to be sampled."""
        sent = self.record["arguments"]["gen_args_0"]
        prompt = sent["arg_0"]
        # The harness logs turns that it sent to an endpoint as a list with their JSON.
        single = isinstance(prompt, list) and len(prompt) == 1
        return (prompt[0] if single else prompt), sent.get("arg_1")

    @property
    def prompt(self) -> str:
        return str(self.request[0])

    @property
    def several(self) -> bool:
        """Whether it is a question of several requests, as those with choices are: it has no samples."""
        return len(self.record["resps"]) != 1

    @property
    def samples(self) -> list[Any]:
        """The raw samples, as the log has them."""
        (samples,) = self.record["resps"]
        if not isinstance(samples, list):
            raise TypeError(f"its samples are a {type(samples).__name__}, no list")
        return samples

    @property
    def texts(self) -> list[str]:
        """The raw samples, as texts."""
        return [str(sample) for sample in self.samples]

    @property
    def made(self) -> Any:
        """What the filter made of the samples: a list of as many, or one thing; [] without a filter."""
        found = self.record.get("filtered_resps")
        return found[0] if found else []

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """What the pass@k tasks of this project found of each sample; [] for other tasks.

        Raises:
            LogError: some are verdicts and others are not, or one has a field that is not as it should
                be.
        """
        found = self.made
        if not isinstance(found, list) or not found:
            return []
        verdicts = [verdict for text in found if (verdict := _verdict(text))]
        if verdicts and len(verdicts) < len(found):
            raise LogError(
                f"{len(verdicts)} of {len(found)} samples have a verdict, the others none"
            )
        return verdicts

    @cached_property
    def judgments(self) -> list[Judgment]:
        """What a judge of refusals said of each sample; [] where none was asked."""
        highest = highest_of(self.doc)
        return [judgment_of(parse_json(record), highest) for record in self.made]

    @property
    def numbers(self) -> dict[str, int | float]:
        """Whatever the task noted of the question as one number, by metric."""
        found = {metric: self.record.get(metric) for metric in self.record.get("metrics", ())}
        return {name: value for name, value in found.items() if isinstance(value, (int, float))}


def highest_of(doc: Mapping[str, Any]) -> int:
    """The highest score of a question's answers: XSTest's prompts have a label, SORRY-Bench's none."""
    return max(LABELS) if doc.get("label") else 1


def judgment_of(record: Any, highest: int = 1) -> Judgment:
    """A judgment as logs and `hm-judge` write it; its score is one of 0 to `highest`."""
    found = Judgment(**record)
    if found.score not in (None, *range(highest + 1)) or not isinstance(found.unscored, str):
        known = ", ".join(map(str, range(highest)))
        raise ValueError(
            f"a judgment's score is {str(found.score)[:40]}, not {known}, {highest} or null"
        )
    return found


def of_evalplus(record: dict[str, Any]) -> tuple[Any, Any, bool]:
    """Of a line of evalplus's `samples.jsonl`: task_id, the text, and whether it is a completion, which
    goes on where the prompt ends."""
    is_completion = "solution" not in record
    return record["task_id"], record["completion" if is_completion else "solution"], is_completion


def read_log(file: Path) -> list[Logged]:
    """The questions of a log of generating tasks, in order.

    Raises:
        LogError: the file is missing, empty, or no such log.
    """

    def whole(line: Line) -> Logged:
        found = Logged(line.value)
        _ = found.question, found.prompt, found.texts, found.verdicts
        return found

    return list(parsed(file, whole))


def parsed(
    file: Path,
    parse: Callable[[Line], T],
    expected: str = "not a line of the harness's samples_*.jsonl",
    what: str = "samples",
) -> Iterator[T]:
    """What `parse` makes of each line of a file of JSON lines; there must be one.

    Raises:
        LogError: the file is missing, empty, or damaged, or `parse` raised one of MALFORMED, for a
            line that is none of the `expected`; the message names it.
    """
    empty = True
    try:
        for line in json_lines(file):
            try:
                found = parse(line)
            except MALFORMED as error:
                why = (
                    str(error)
                    if isinstance(error, LogError)
                    else f"{type(error).__name__}: {error}"
                )
                raise LogError(f"{file}, line {line.number}: {expected} ({why[:200]}).") from None
            empty = False
            yield found
    except TextFileError as error:
        raise LogError(str(error)) from None
    except OSError as error:
        raise LogError(f"{file} cannot be read: {error}.") from None
    if empty:
        raise LogError(f"{file} holds no {what}.")


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
        if name.endswith("_status") and value not in STATUSES:
            raise LogError(f"a verdict's {name} is {value[:40]!r}, not one of {STATUSES}")
    return Verdict(**record)
