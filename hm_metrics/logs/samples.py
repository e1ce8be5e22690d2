"""One line of the harness's log of samples, `samples_*.jsonl` of --log_samples: the one reader of it.

    >>> line = Logged({"doc": {"task_id": "Mbpp/2"}, "doc_id": 0, "resps": [["a", "b"]]})
    >>> line.question, line.texts, line.verdicts
    ('Mbpp/2', ['a', 'b'], [])

A line is read as far as somebody asks: other people's tasks have what they have. What is asked for and
not there, or otherwise than it should be, raises one of MALFORMED.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from hm_metrics.graded import GRADES, Graded
from hm_metrics.judgment import Judgment
from hm_metrics.verdict import STATUSES, UNSCORED, Verdict
from hm_metrics.xstest import LABELS
from hm_models.errors import UsageError
from hm_models.files.text_files import MALFORMED, Line, TextFileError, json_lines, parse_json

_FIELDS = {field.name for field in dataclasses.fields(Verdict)}
_NEEDED = {"program", "base_status", "plus_status"}
_OF_GRADES = {field.name for field in dataclasses.fields(Graded)}
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
        if self.grades:  # the ids of a wrapped task's data may be there twice, as TriviaQA's are
            return str(self.record["doc_id"])
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
        return self._all_or_none(_verdict, "verdict")

    @cached_property
    def grades(self) -> list[Graded]:
        """What the wrapped task said of each sample, by this line's filter; [] for other tasks.

        Raises:
            LogError: as for verdicts, or there are not as many as samples.
        """
        found = self._all_or_none(_grade, "grade")
        if found and len(found) != len(self.samples):
            raise LogError(f"{len(found)} grades of {len(self.samples)} samples")
        if any(g.same_as is not None and not 0 <= g.same_as < len(found) for g in found):
            raise LogError("a grade's same_as is the number of none of the question's samples")
        return found

    def _all_or_none(self, parse: Callable[[Any], T | None], what: str) -> list[T]:
        made = self.made
        if not isinstance(made, list):
            return []
        found = [record for text in made if (record := parse(text)) is not None]
        if found and len(found) < len(made):
            raise LogError(f"{len(found)} of {len(made)} samples have a {what}, the others none")
        return found

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
        _ = found.question, found.prompt, found.texts, found.verdicts, found.grades
        return found

    return list(parsed(file, whole))


def one_a_question(log: Iterable[Logged]) -> list[Logged]:
    """The first line of each question: a wrapped task has one for each filter, of the same texts."""
    first: dict[str, Logged] = {}
    for item in log:
        first.setdefault(item.question, item)
    return list(first.values())


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
    record = _record(text, "base_status", "verdict")
    if record is None:
        return None
    if not _NEEDED <= set(record) <= _FIELDS:
        raise LogError(f"a verdict has {', '.join(sorted(record))[:80]}, not {', '.join(_FIELDS)}")
    for name, value in record.items():
        if not isinstance(value, str):
            raise LogError(f"a verdict's {name} is a {type(value).__name__}, not text")
        if name.endswith("_status") and value not in STATUSES:
            raise LogError(f"a verdict's {name} is {value[:40]!r}, not one of {STATUSES}")
    return Verdict(**record)


def _grade(text: Any) -> Graded | None:
    """A grade, likewise."""
    record = _record(text, "same_as", "grade")
    if record is None:
        return None
    if set(record) != _OF_GRADES:
        raise LogError(f"a grade has {', '.join(sorted(record))[:80]}, not {', '.join(_OF_GRADES)}")
    if not isinstance(record["scores"], dict):
        raise LogError(f"a grade's scores are a {type(record['scores']).__name__}, no mapping")
    found = Graded(**record)
    for name in ("answer", "reason", "status"):
        if not isinstance(record[name], str):
            raise LogError(f"a grade's {name} is a {type(record[name]).__name__}, not text")
    if found.status not in GRADES:
        raise LogError(f"a grade's status is {found.status[:40]!r}, not one of {GRADES}")
    if not (found.same_as is None or type(found.same_as) is int):
        raise LogError("a grade's same_as is neither a sample's number nor null")
    for name, score in found.scores.items():
        if not _is_number(score):
            raise LogError(f"a grade's {name[:40]} is {str(score)[:40]}, no number")
    if found.status != UNSCORED and not found.scores:
        raise LogError(f"a grade is {found.status}, and has no scores")
    return found


def _record(text: Any, key: str, what: str) -> dict[str, Any] | None:
    """The record in a string that has the key; None for what is none."""
    if not isinstance(text, str) or not (text.startswith("{") and f'"{key}"' in text):
        return None
    try:
        return parse_json(text)
    except ValueError as error:
        raise LogError(f"a {what} cannot be read: {error}") from None


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and math.isfinite(value)
