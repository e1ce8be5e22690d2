"""The pictures of contests and forecasts: two frontiers with bands; pass@k and what may follow, dotted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from hm_metrics.figures.contest import Side, contest_figure
from hm_metrics.figures.pass_at_k import Curve, pass_at_k_figure
from hm_metrics.frontier import frontier_band
from hm_metrics.report.contest import Fight
from hm_metrics.report.forecast import Forecast
from hm_metrics.report.leaderboard import ks_of
from hm_metrics.report.pictures import Drawing, as_file, what_counts

PLACES = 120  # at which a band is drawn
MARGIN = 0.05  # of the range, left of the first point


def contest_pictures(found: Sequence[Fight]) -> Iterator[Drawing]:
    """One for the headline of each pair of sides."""
    for fight in found:
        if fight.headline:
            title = fight.sides.title
            yield (
                f"Merging against sampling: {fight.up} against {fight.across}, {title}",
                "Up and to the right is better. Steps: what a side reaches; bands: where they lie in 95 of "
                f"100 resamples of the questions. {fight.sentence}",
                f"contest_{as_file(title)}",
                partial(_contest, fight),
            )


def forecast_pictures(found: Sequence[Forecast]) -> Iterator[Drawing]:
    """One a task."""
    for task in dict.fromkeys(one.task for one in found):
        families: dict[str, list[Curve]] = {}
        of_task = [one for one in found if one.task == task]
        counting = what_counts([one.row for one in of_task], task)
        for one in of_task:
            families.setdefault(one.row.point.family, []).extend(_curves(one))
        yield (
            f"A larger k, extrapolated, {task}",
            "Dotted: not measured, but what a model of the questions makes of the samples (docs/contest.md); "
            "bands: 95 %. Solid: measured, bands one standard error.",
            f"extrapolated_{as_file(task)}",
            partial(pass_at_k_figure, families, f"{counting}; dotted is extrapolated"),
        )


def _contest(fight: Fight) -> Figure:
    ours, theirs = fight.ours, fight.theirs
    points = np.concatenate([np.nanmean(family.across, axis=1) for family in (ours, theirs)])
    places = np.linspace(points.min() - MARGIN * np.ptp(points), points.max(), PLACES)
    sides = []
    for family, rows in ((ours, fight.sides.ours), (theirs, fight.sides.theirs)):
        low, high = frontier_band(family, places, fight.same_questions)
        across, up = (np.nanmean(values, axis=1) for values in (family.across, family.up))
        labels = told_apart([row.point.label for row in rows])
        sides.append(Side(family.name, across, up, labels, places, low, high))
    across = f"{fight.across} (more is better)"
    return contest_figure(sides, across, f"{fight.up} (higher is better)")


def told_apart(labels: Sequence[str]) -> list[str]:
    """Without what all of them say.

    >>> told_apart(["alpha=0.7, T=0.7, top_p=0.95", "instruct (alpha=1), T=0.7, top_p=0.95"])
    ['alpha=0.7', 'instruct (alpha=1)']
    """
    parts = [label.split(", ") for label in labels]
    common = set.intersection(*map(set, parts)) if len(parts) > 1 else set()
    return [
        ", ".join(part for part in each if part not in common) or ", ".join(each) for each in parts
    ]


def _curves(one: Forecast) -> list[Curve]:
    """What was measured, and from its last point on what was not."""
    row, alpha = one.row, one.row.point.model.number
    measured = {k: row.values[one.task].get(f"pass@{k}") for k in ks_of(row, one.task)}
    known = {k: v for k, v in measured.items() if v is not None and not math.isnan(v.value)}
    if not known:
        return []
    last, value = max(known.items())
    label = row.point.label
    return [
        Curve(
            label,
            list(known),
            [v.value for v in known.values()],
            [v.error for v in known.values()],
            alpha,
        ),
        Curve(
            label=f"extrapolated, {label}",
            k=[last, *(e.k for e in one.beyond)],
            value=[value.value, *(e.value for e in one.beyond)],
            band=(
                [value.value, *(e.low for e in one.beyond)],
                [value.value, *(e.high for e in one.beyond)],
            ),
            alpha=alpha,
            dotted=True,
        ),
    ]
