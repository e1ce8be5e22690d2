"""What goes into the report's page, as data (`hm_metrics.report.html_file` writes it).

Whoever builds a report says what is known (rows, intervals, protocols, tables, figures, samples) in
the frozen dataclasses below; this module knows nothing of results files, and the page knows nothing
of merging. Everything that a model wrote is untrusted text: it travels as base64 or escaped JSON and
reaches the page by `textContent` alone, under a content security policy that runs no script but ours
and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hm_metrics.report.samples_blob import Question


@dataclass(frozen=True)
class Column:
    """A metric of the leaderboard.

    Attributes:
        higher_is_better: None for a number without a good side (it sorts, nothing is best).
        help: what it is, in a sentence; shown with the header.
        task: whose metric it is. Rows are told apart by their protocol of this task alone when they
            are sorted by this column; without it by their protocols of all tasks.
        shown: False: off until the reader turns it on.
    """

    key: str
    title: str
    higher_is_better: bool | None = None
    help: str = ""
    task: str = ""
    shown: bool = True


@dataclass(frozen=True)
class Cell:
    """A value, its 95 % interval, and the number of questions behind it.

    A value of None (or nan): not measured, or unscored.
    """

    value: float | str | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class PageRow:
    """A point of the leaderboard.

    Attributes:
        id: unique on the page; `Question.samples` uses it.
        cells: by `Column.key`.
        protocol: the mark that each task has in this row.
        facets: what the page's menus filter by, {"family": "Llama-3.1-8B", "method": "linear"}. The
            sample browser puts rows side by side that share the first ones.
    """

    id: str
    label: str
    cells: Mapping[str, Cell]
    protocol: Mapping[str, str]
    warnings: Sequence[str] = ()
    facets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProtocolNote:
    """What a mark ("A", "B", ...) of a task stands for, and in which facts the task's marks differ.

    Attributes:
        beside: the mark whose rows its own are ranked with; "" for none but its own.
    """

    mark: str
    task: str
    facts: Mapping[str, str]
    differs: Sequence[str] = ()
    beside: str = ""


@dataclass(frozen=True)
class Table:
    """A plain table: differences, or ours beside the paper's.

    Attributes:
        folded: a longer one beneath it, closed until the reader opens it by its title.
    """

    title: str
    help: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: Table | None = None


@dataclass(frozen=True)
class PageFigure:
    """A picture, embedded; `file` is its name beside the report, for who wants it alone."""

    title: str
    caption: str
    png: bytes
    file: str = ""


@dataclass(frozen=True)
class Page:
    """All of a report. `samples` may be a generator: it is read once, a question at a time.

    The first of `figures` stands before the leaderboard, the others after the tables.
    """

    title: str
    summary: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[PageRow]
    protocols: Sequence[ProtocolNote] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[PageFigure] = ()
    samples: Iterable[Question] = ()
    notes: Sequence[str] = ()
