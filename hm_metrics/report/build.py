"""From paths of results to a folder with a report: page, leaderboard and figures.

report = build(ReportSettings([Path("OUT")], Path("REPORT")))
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from hm_metrics.report import contest_tables, differences, tables
from hm_metrics.report.baseline import baseline_of
from hm_metrics.report.browser import questions
from hm_metrics.report.choice import choose
from hm_metrics.report.comparisons import to_baseline, to_other_samplers
from hm_metrics.report.contest import fights, tuned
from hm_metrics.report.export.identity import check_developer
from hm_metrics.report.export.write import export
from hm_metrics.report.forecast import forecasts
from hm_metrics.report.gains import gains
from hm_metrics.report.html_file import write_page
from hm_metrics.report.judges import judges_tables
from hm_metrics.report.leaderboard import BoardColumn, write_csv, write_markdown
from hm_metrics.report.page import Cell, Column, Page, PageRow
from hm_metrics.report.portfolios import portfolios
from hm_metrics.report.rows import Row
from hm_metrics.report.runs import load_runs
from hm_metrics.report.values import Value
from hm_models.samples.sampler import TEMPERATURE

PAGE, CSV, MARKDOWN, FIGURES = "report.html", "leaderboard.csv", "leaderboard.md", "figures"


@dataclasses.dataclass(frozen=True)
class ReportSettings:
    """What a report is made of.

    Attributes:
        paths: folders of results, searched with all below them, and results files.
        output: the folder to write into, made where missing.
        embedder, embedder_base_url: for similarities; None: minilm, for runs that used no other.
        select: a rule, as "pass@10 subject to fulfillment_rate<=0.35".
        with_requests: whether SORRY-Bench's requests and the answers to them go into the page.
        quiet: show no progress.
        exports: formats of other tools to write as well (`hm_metrics.report.export.write.FORMATS`).
        developer: whose the models are that are none of the hub's; exports need it.
        baseline: the row that others are compared with; by default each pair's instruct model.
    """

    paths: Sequence[Path]
    output: Path
    embedder: str | None = None
    embedder_base_url: str | None = None
    select: str = ""
    with_requests: bool = False
    quiet: bool = False
    exports: Sequence[str] = ()
    developer: str = ""
    baseline: str = ""


@dataclasses.dataclass(frozen=True)
class Report:
    """What was written, and what a user should hear.

    Attributes:
        files: those on disk.
        summary: what was found, in sentences; the answers to `select` first.
        problems: what was given and could not be used in full.
        notes: what was left out, and why, that is no fault of the input.
    """

    files: list[Path]
    summary: list[str]
    problems: list[str]
    notes: list[str]


def build(settings: ReportSettings) -> Report:
    """Read, compare, draw and write.

    Raises:
        NothingToReport: there is no row to show; nothing is written then.
        ChoiceError: `select` cannot be read, or names an unknown number; nothing is written then.
        BaselineError: `baseline` is no row; nothing is written then.
        ExportError: an export needs to know whose a model is; nothing is written then.
    """
    # matplotlib, for who draws alone
    from hm_metrics.report.contest_pictures import contest_pictures, forecast_pictures
    from hm_metrics.report.pictures import draw

    runs = load_runs(
        *settings.paths,
        embedder=settings.embedder,
        embedder_base_url=settings.embedder_base_url,
        quiet=settings.quiet,
    )
    rows, columns, (notes, marks) = runs.rows, runs.columns, runs.protocols
    baseline = baseline_of(settings.baseline, rows)
    if settings.exports:
        check_developer(rows, settings.developer)
    chosen = choose(settings.select, rows, columns) if settings.select else []
    answers = [sentence for choice in chosen for sentence in choice.sentences]
    compared = to_baseline(rows, columns, baseline)
    shown = differences.baseline_table(compared, baseline)
    shown += differences.samplers_table(to_other_samplers(rows, columns))
    fought, spent, beyond = fights(rows, columns), portfolios(rows), forecasts(rows)
    several = len({row.point.family for row in rows}) > 1
    shown += contest_tables.fights_table(fought) + contest_tables.tuned_table(tuned(rows, columns))
    shown += contest_tables.portfolio_table(spent)
    shown += contest_tables.forecast_table(beyond, several)
    shown += tables.paper_table(rows)
    shown += judges_tables(rows)
    summary = [*answers, *tables.sentences(rows, columns, compared, baseline)]
    summary += [fight.sentence for fight in fought if fight.headline]
    summary += gains(compared, baseline)
    problems, left_out = [*runs.problems], runs.left_out
    output = settings.output
    output.mkdir(parents=True, exist_ok=True)
    more = [*contest_pictures(fought), *forecast_pictures(beyond)]
    figures = draw(rows, output / FIGURES, problems, more)
    write_csv(rows, columns, marks, output / CSV)
    write_markdown(rows, columns, notes, marks, [*summary, *problems, *left_out], output / MARKDOWN)
    page = Page(
        title="Hindsight merging: " + ", ".join(dict.fromkeys(row.point.family for row in rows)),
        summary=summary,
        columns=[_column(column) for column in columns if column.shown],
        rows=[_page_row(row, columns, marks, several) for row in rows],
        protocols=notes,
        tables=shown,
        figures=figures,
        samples=questions(rows, settings.with_requests, settings.quiet),
        notes=[*problems, *left_out],
    )
    write_page(page, output / PAGE)
    files = [output / name for name in (PAGE, CSV, MARKDOWN)]
    for kind in settings.exports:
        files += export(kind, rows, output, settings.developer, settings.with_requests)
    files += [(output / one.file).with_suffix(end) for one in figures for end in (".pdf", ".png")]
    return Report(files, summary, problems, left_out)


def _column(column: BoardColumn) -> Column:
    return Column(column.key, column.key, column.higher_is_better, column.help, column.task)


def _page_row(
    row: Row,
    columns: Sequence[BoardColumn],
    marks: Mapping[str, Mapping[str, str]],
    families: bool,
) -> PageRow:
    point = row.point
    facets = {"family": point.family, "stage": point.model.stage or ""}
    facets["method"] = point.model.method
    if point.temperature is not None:
        facets["temperature"] = f"{point.temperature:g}"
    if point.sampler is not None and point.sampler != point.sampler.only([TEMPERATURE]):
        facets["sampler"] = str(point.sampler)
    return PageRow(
        id=point.id,
        label=point.id if families else point.label,
        cells={
            column.key: _cell(value)
            for column in columns
            if column.shown and (value := column.of(row)) is not None
        },
        protocol=marks[point.id],
        warnings=row.warnings,
        facets={name: value for name, value in facets.items() if value},
    )


def _cell(value: Value) -> Cell:
    if math.isnan(value.value):
        return Cell("unscored", n=value.questions)
    low, high = (None if math.isnan(end) else end for end in (value.low, value.high))
    return Cell(value.value, low, high, value.questions)
