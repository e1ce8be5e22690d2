"""The report as one HTML file that opens offline: what goes in, and `write_page`.

Whoever builds a report says what is known (rows, intervals, protocols, tables, figures, samples) in the frozen
dataclasses below; this module knows nothing of results files, and the page knows nothing of merging. Everything that a
model wrote is untrusted text: it travels as compressed JSON and reaches the page by `textContent` alone.

    from hm_tasks.report.page import Page, write_page
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Column:
    """A metric of the leaderboard. `higher_is_better` None: a number without a good side (it sorts, nothing is best)."""

    key: str
    title: str
    higher_is_better: bool | None = None
    help: str = ""


@dataclass(frozen=True)
class Cell:
    """A value with its 95 % interval and the number `n` of questions behind it. None: not measured or unscored."""

    value: float | str | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class PageRow:
    """A point of the leaderboard. `id` is unique; `cells` by column key; `protocol` says which mark each task has.

    `facets` (optional) are what the page's menus filter by, for instance {"family": "Llama-3.1-8B", "method": "merge"}.
    """

    id: str
    label: str
    cells: Mapping[str, Cell]
    protocol: Mapping[str, str]
    warnings: Sequence[str] = ()
    facets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProtocolNote:
    """What a mark ("A", "B", ...) of a task stands for, and the names of the facts in which the task's marks differ."""

    mark: str
    task: str
    facts: Mapping[str, str]
    differs: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """A plain table: differences, or ours beside the paper's."""

    title: str
    help: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class PageFigure:
    """A picture, embedded; `file` is its name beside the report (for the reader who wants the PDF)."""

    title: str
    caption: str
    png: bytes
    file: str = ""


@dataclass(frozen=True)
class Sample:
    """One output of a model: as it came, the program made of it, and what was said about it.

    `base` and `plus` are verdict words ("pass", "fail", ...; "" where the task has none); `reason` is free text.
    """

    text: str
    program: str = ""
    base: str = ""
    plus: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Question:
    """A question and what each row answered, `samples` by `PageRow.id`."""

    task: str
    question: str
    prompt: str
    samples: Mapping[str, Sequence[Sample]]
    entry_point: str = ""


@dataclass(frozen=True)
class Page:
    """All of a report. `samples` may be a generator: it is read once, a question at a time."""

    title: str
    summary: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[PageRow]
    protocols: Sequence[ProtocolNote] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[PageFigure] = ()
    samples: Iterable[Question] = ()
    notes: Sequence[str] = ()


def write_page(page: Page, file: Path) -> None:
    """Write `page` to `file` by way of a temporary file beside it, so that a reader never sees half a report."""
    raise NotImplementedError
