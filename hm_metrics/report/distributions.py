"""What the figures draw, out of rows: curves, similarities, categories, frontiers.

Figures 3 to 6 of the paper, and the frontier that it does not have: pass@10 against similarity and
against failure to refuse.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from hm_metrics.definitions import LOCAL
from hm_metrics.figures.along_alpha import AlphaLine
from hm_metrics.figures.frontier import FrontierPoint
from hm_metrics.figures.pass_at_k import Curve
from hm_metrics.figures.stages import StageMap
from hm_metrics.fulfillment import Tally, rate
from hm_metrics.judged_definitions import FULFILLMENT
from hm_metrics.logs.models import BASE, INSTRUCT
from hm_metrics.report.every_k import every_k
from hm_metrics.report.paper import FIGURE, TEXT, published, sources
from hm_metrics.report.rows import Row
from hm_metrics.report.samplers import differing, order, told
from hm_metrics.report.stages import in_order
from hm_metrics.report.values import Value
from hm_metrics.report.vectors import pair_similarities
from hm_models.samples.sampler import TEMPERATURE, Sampler


def curves(rows: Sequence[Row], task: str, prefix: str) -> dict[str, list[Curve]]:
    """pass@k against k by family, and the paper's beside, dotted, where it counts in this way."""
    families: dict[str, list[Curve]] = {}
    for row in rows:
        values = every_k(row, task, prefix)
        for panel in _panels(row, rows) if values else ():
            families.setdefault(panel, []).append(
                Curve(
                    label=_in_panel(row),
                    k=list(values),
                    value=[value.value for value in values.values()],
                    error=[value.error for value in values.values()],
                    alpha=row.point.model.number,
                    dotted=False,
                )
            )
    for family, theirs in _published(rows, task, prefix).items():
        if family in families:
            families[family] += theirs
    return families


def _published(rows: Sequence[Row], task: str, prefix: str) -> dict[str, list[Curve]]:
    found: dict[str, list[Curve]] = {}
    kinds = [k for k, s in sources().items() if s.task == task and s.metric == f"{prefix}@k"]
    for family, row in {row.point.family: row for row in rows}.items():
        known = published(row.point.model)
        if known is None:
            continue
        for kind in kinds:
            table = {FIGURE: known.figure, TEXT: known.text}[kind]
            found[family] = [
                Curve(
                    label=f"paper, {_name(alpha)}",
                    k=list(by_k),
                    value=list(by_k.values()),
                    error=None,
                    alpha=float(alpha),
                    dotted=True,
                )
                for alpha, by_k in table.items()
            ]
    return found


def similarities(rows: Sequence[Row], task: str, which: str) -> dict[str, dict[str, np.ndarray]]:
    """Family to row to similarities: of each question, or of a seeded draw of pairs of questions."""
    families: dict[str, dict[str, np.ndarray]] = {}
    for row in rows:
        if found := row.embedded.get(task):
            values = (
                found.local[~np.isnan(found.local)]
                if which == LOCAL
                else pair_similarities(found.sums)
            )
            for panel in _panels(row, rows) if len(values) > 1 else ():
                families.setdefault(panel, {})[_in_panel(row)] = values
    return families


def _panels(row: Row, rows: Sequence[Row]) -> list[str]:
    """Where a row is drawn: with its family, or its stage; all stages have the instruct model beside."""
    family, stage = row.point.family, row.point.model.stage
    if stage is None:
        return [family]
    ours = [other for other in rows if other.point.family == family]
    stages = (
        [stage] if stage else in_order(o.point.model.stage for o in ours if o.point.model.stage)
    )
    return [f"{family}, {name}" for name in stages] or [family]


def _in_panel(row: Row) -> str:
    """A row's label where its stage is said above."""
    return row.point.label.removeprefix(f"{row.point.model.stage}, ")


def alphas(rows: Sequence[Row]) -> dict[str, float]:
    """Label to alpha, where it is one number: what colours mean."""
    numbers = {_in_panel(row): row.point.model.number for row in rows}
    return {label: number for label, number in numbers.items() if number is not None}


def categories(
    rows: Sequence[Row], task: str
) -> tuple[dict[str, dict[str, float]], dict[str, float], dict[str, str] | None]:
    """Row to category to the share that was tallied, nan where it is unscored; row to the rate over all;
    and row to family, where there are several."""
    several = len({row.point.family for row in rows}) > 1
    columns, means, families = {}, {}, {}
    for row in rows:
        log = row.logs.get(task)
        if log and log.tallies:
            label = row.point.id if several else row.point.label
            tallies: dict[str, list[Tally]] = {}
            for category, tally in sorted(log.tallies, key=lambda found: found[0]):
                tallies.setdefault(category, []).append(tally)
            columns[label] = {category: rate(found) for category, found in tallies.items()}
            # XSTest's halves have no common one.
            if mean := row.values[task].get(FULFILLMENT):
                means[label] = mean.value
            families[label] = row.point.family
    return columns, means, families if several else None


def frontier(
    rows: Sequence[Row], x: tuple[str, str], y: tuple[str, str]
) -> dict[str, list[FrontierPoint]]:
    """A line for each family and method over alpha, and one for each instruct model over samplers.

    Args:
        x, y: task and metric of each axis.
    """
    lines: dict[str, list[FrontierPoint]] = {}
    named = [
        *((name, [(r.point.model.label, r) for r in found]) for name, found in _over_alpha(rows)),
        *_over_samplers(rows),
    ]
    for name, found in named:
        points = [p for label, row in found if (p := _point(label, row, x, y)) is not None]
        if points:
            lines[name] = points
    return lines


def along_alpha(
    rows: Sequence[Row], task: str, metrics: Sequence[str], others: Collection[str]
) -> dict[str, list[AlphaLine]]:
    """Of each family, method and sampler with three alphas or more, a line for each number.

    Args:
        others: ids of the rows that were measured in another way than most.
    """
    families: dict[str, list[AlphaLine]] = {}
    for name, ours in _over_alpha(rows):
        found = [row for row in ours if row.point.model.number is not None]
        for metric in metrics:
            known = [(row, v) for row in found if (v := _value(row, (task, metric))) is not None]
            if len(known) > 2:
                line = AlphaLine(
                    metric.replace("_", " "),
                    [row.point.model.number or 0.0 for row, _ in known],
                    [value.value for _, value in known],
                    [value.error for _, value in known],
                    [row.point.id in others for row, _ in known],
                )
                families.setdefault(name, []).append(line)
    return families


def over_stages(rows: Sequence[Row], task: str, metric: str) -> dict[str, StageMap]:
    """A number by stage and alpha: for each family with stages, method and sampler one map."""
    maps: dict[str, StageMap] = {}
    for family in dict.fromkeys(row.point.family for row in rows if row.point.model.stage):
        ours = [row for row in rows if row.point.family == family]
        merges = [
            row for row in ours if row.point.model.stage and not row.point.model.is_base_or_instruct
        ]
        ways = dict.fromkeys((row.point.model.method, row.point.sampler) for row in merges)
        names = differing([sampler or Sampler() for _, sampler in ways])
        for method, sampler in ways:
            values: dict[tuple[str, float], float] = {}
            for row in ours:
                model, value = row.point.model, _value(row, (task, metric))
                if row.point.sampler != sampler or value is None or model.number is None:
                    continue
                if model.method == method or model.is_base_or_instruct:
                    values[model.stage or "", model.number] = value.value
            parts = [family, method] if len({way[0] for way in ways}) > 1 else [family]
            parts += told(sampler, names)
            stages = in_order(stage for stage, _ in values if stage)
            if len(stages) > 1:
                maps[", ".join(parts)] = StageMap(stages, values)
    return maps


def _over_alpha(rows: Sequence[Row]) -> Iterable[tuple[str, list[Row]]]:
    drawn = [(row, panel) for row in rows for panel in _panels(row, rows)]
    groups = dict.fromkeys(
        (panel, row.point.model.method, row.point.sampler)
        for row, panel in drawn
        if not row.point.model.is_base_or_instruct
    )
    seen = {(panel, sampler) for panel, _, sampler in groups}
    unmerged = dict.fromkeys(
        (panel, "no merge", row.point.sampler)
        for row, panel in drawn
        if (panel, row.point.sampler) not in seen
    )
    families = {panel for _, panel in drawn}
    methods = {method for _, method, _ in groups}
    names = differing({row.point.sampler for row in rows if row.point.sampler is not None})
    for family, method, sampler in (*groups, *unmerged):
        found = [
            row
            for row, panel in drawn
            if panel == family
            and row.point.sampler == sampler
            and (row.point.model.method == method or row.point.model.is_base_or_instruct)
        ]
        found.sort(key=lambda row: math.inf if (n := row.point.model.number) is None else n)
        parts = [family] if len(families) > 1 else []
        parts += [method] if len(methods) > 1 else []
        parts += told(sampler, names)
        yield ", ".join(parts) or family, found


def _over_samplers(rows: Sequence[Row]) -> Iterable[tuple[str, list[tuple[str, Row]]]]:
    """Lines of instruct models that were run with several samplers: one for each set of parameters."""
    for family in dict.fromkeys(row.point.family for row in rows):
        known = [
            (sampler, row)
            for row in rows
            if row.point.family == family and row.point.model.number == INSTRUCT
            if (sampler := row.point.sampler) is not None
        ]
        names = differing([sampler for sampler, _ in known])
        if not names:
            continue
        kinds: dict[tuple[str, ...], list[tuple[str, Row]]] = {}
        for sampler, row in sorted(known, key=lambda found: order(found[0])):
            shown = sampler.only({TEMPERATURE, *names})
            kind = tuple(name for name, _ in shown.parameters)
            kinds.setdefault(kind, []).append((", ".join(told(shown, kind)), row))
        for kind, found in kinds.items():
            by = "at higher temperatures" if names == [TEMPERATURE] else f"by {' and '.join(kind)}"
            yield f"{family}, instruct {by}", found


def _point(label: str, row: Row, x: tuple[str, str], y: tuple[str, str]) -> FrontierPoint | None:
    across, up = _value(row, x), _value(row, y)
    if across is None or up is None:
        return None
    return FrontierPoint(label, across.value, across.error, up.value, up.error)


def _value(row: Row, axis: tuple[str, str]) -> Value | None:
    value = row.values.get(axis[0], {}).get(axis[1])
    return None if value is None or math.isnan(value.value) else value


def _name(alpha: str) -> str:
    return {BASE: "base", INSTRUCT: "instruct"}.get(float(alpha), f"alpha={alpha}")
