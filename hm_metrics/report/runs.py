"""Everything that result folders have, for a report or for Python: rows, a pandas frame, matplotlib figures.

from hm_metrics.report import load_runs

runs = load_runs("runs/sweep")
runs.frame()[["alpha", "pass@1", "pass@10", "local_similarity"]]
runs.figures()["pass_at_k_demo_passk_pass"].savefig("pass_at_k.svg")
"""

from __future__ import annotations

import dataclasses
import itertools
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hm_metrics.logs.results import find_runs
from hm_metrics.report.contest import fights
from hm_metrics.report.forecast import forecasts
from hm_metrics.report.leaderboard import BoardColumn, board_lines, columns_of
from hm_metrics.report.page import ProtocolNote
from hm_metrics.report.points import join
from hm_metrics.report.protocol import Facts, mark
from hm_metrics.report.rows import Row, make_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


class NothingToReport(ValueError):
    """No usable results among the paths; the message has a sentence for each."""


@dataclasses.dataclass(frozen=True)
class Runs:
    """What `load_runs` read.

    Attributes:
        rows: one for each model with a sampler, with all its tasks.
        columns: every number that a row has.
        problems: what was given and could not be used, in sentences.
        left_out: what was left out, and why, that is no fault of the input.
    """

    rows: list[Row]
    columns: list[BoardColumn]
    problems: list[str]
    left_out: list[str]

    @cached_property
    def protocols(self) -> tuple[list[ProtocolNote], dict[str, dict[str, str]]]:
        """How each task was measured, and by row and task the letter that stands for it."""
        by_task: dict[str, dict[str, Facts]] = {}
        for row in self.rows:
            for task, facts in row.facts.items():
                by_task.setdefault(task, {})[row.point.id] = facts
        return mark(by_task)

    def frame(self) -> DataFrame:
        """The leaderboard as pandas has it; the harness brings pandas.

        Returns:
            One line a row, and the columns of leaderboard.csv: names, and of each number its value, `_stderr`,
            `_low` and `_high` (95 % interval) and `_questions`. A number that a row does not have, or that is
            unscored, is nan. `alpha` is a number, but text for a gradient or a pattern.
        """
        from pandas import DataFrame

        head, lines = board_lines(self.rows, self.columns, self.protocols[1])
        models = [row.point.model for row in self.rows]
        alphas = [m.alpha if m.alpha and m.number is None else m.number for m in models]
        return DataFrame(lines, columns=head).assign(alpha=alphas)

    def figures(self) -> dict[str, Figure]:
        """The report's figures by the names of their files. Needs matplotlib, the extra `plots`."""
        from hm_metrics.report.contest_pictures import contest_pictures, forecast_pictures
        from hm_metrics.report.pictures import drawings

        more = contest_pictures(fights(self.rows, self.columns))
        beyond = forecast_pictures(forecasts(self.rows))
        every = itertools.chain(drawings(self.rows), more, beyond)
        return {name: make() for _, _, name, make in every}


def load_runs(
    *paths: Path | str,
    embedder: str | None = None,
    embedder_base_url: str | None = None,
    quiet: bool = True,
) -> Runs:
    """Read results and samples, of this plugin or of the plain harness.

    Args:
        paths: folders that `lm_eval --output_path` or `hm-sweep` wrote to, searched with all below them, and
            results_*.json files.
        embedder: for all similarities; None: minilm, for runs that used no other; `none`: no vectors.
        embedder_base_url: for `openai:MODEL`.
        quiet: show no progress.

    Raises:
        NothingToReport: there is no row.
    """
    found = find_runs([Path(path) for path in paths])
    if not found.runs:
        raise NothingToReport("\n".join(found.problems) or "No path was given.")
    made = make_rows(join(found.runs), embedder, embedder_base_url, quiet)
    problems = [*found.problems, *made.problems]
    if not made.rows:
        raise NothingToReport("\n".join(problems))
    left_out = [*made.unscored, *found.passed_over]
    return Runs(made.rows, columns_of(made.rows), problems, left_out)
