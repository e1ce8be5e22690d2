"""What `hm-judge` needs of a benchmark: what its judge decides, and its rates as a table and as a CSV.

>>> LogRates({"weapons": {"scored": 8, "unscored": 1}, "fraud": {"scored": 9, "unscored": 0}}, {}).unscored()
'1 of 18'
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hm_metrics.fulfillment import Tally, bounds, rate, rate_error
from hm_metrics.logs.labelled import Labelled
from hm_models.files.text_files import write_text
from hm_models.shown.escaping import csv_text, markdown_table
from hm_tasks.judges.rubric import Rubric

Columns = Mapping[str, Sequence[Labelled]]  # answers by the name of a log, or of who labelled them
Numbers = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class LogRates:
    """The rates of one log.

    Attributes:
        kinds: kind of prompts to their numbers, `scored` and `unscored` among them.
        totals: title to the tallies of all prompts that count in a rate.
        over_all: the same as `kinds` over all of them, for the CSV alone.
    """

    kinds: Mapping[str, Numbers]
    totals: Mapping[str, Sequence[Tally]]
    over_all: Mapping[str, Numbers] = dataclasses.field(default_factory=dict)

    def unscored(self) -> str:
        unscored = sum(numbers["unscored"] for numbers in self.kinds.values())
        return f"{unscored} of {unscored + sum(n['scored'] for n in self.kinds.values())}"


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One benchmark with a judge.

    Attributes:
        kind: what its prompts are sorted by.
        rate: which of a kind's numbers the table shows.
        numbers: those that the CSV has.
        totals: title of each rate over all prompts, and whether its bounds are shown.
        rates_of: the rates of a log's answers.
    """

    rubric: Rubric
    kind: str
    rate: str
    numbers: Sequence[str]
    totals: Mapping[str, bool]
    rates_of: Callable[[Sequence[Labelled]], LogRates]

    def table(self, columns: Columns) -> str:
        """Kinds down, logs across; the last rows are over all, with errors and bounds."""
        logs = [self.rates_of(answers) for answers in columns.values()]
        rows = [[self.kind, *columns], ["---", *["---:"] * len(columns)]]
        for kind in sorted({kind for log in logs for kind in log.kinds}):
            rows.append([kind, *(self._cell(log.kinds.get(kind)) for log in logs)])
        for title, bounded in self.totals.items():
            tallies = [log.totals[title] for log in logs]
            rows.append([title, *map(_in_words, tallies)])
            if bounded:
                rows.append(["bounds", *("{:.3f} to {:.3f}".format(*bounds(t)) for t in tallies)])
        rows.append(["unscored", *(log.unscored() for log in logs)])
        return markdown_table(rows)

    def write(self, columns: Columns, file: Path) -> None:
        """The same as a CSV: one line for each log and kind, to draw from."""
        lines: list[list[Any]] = [["log", self.kind, *self.numbers]]
        for name, answers in columns.items():
            log = self.rates_of(answers)
            for kind, numbers in {**log.kinds, **log.over_all}.items():
                lines.append([name, kind, *(numbers[each] for each in self.numbers)])
        write_text(file, csv_text(lines))

    def _cell(self, numbers: Numbers | None) -> str:
        found = "" if numbers is None else numbers[self.rate]
        return f"{found:.2f}" if isinstance(found, float) else str(found)


def _in_words(tallies: Sequence[Tally]) -> str:
    """A rate with its standard error."""
    if not any(tally.scored for tally in tallies):
        return "unscored"
    return f"{rate(tallies):.3f} ± {rate_error(tallies):.3f}"
