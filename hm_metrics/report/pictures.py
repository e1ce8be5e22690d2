"""The figures of a report, drawn by `hm_metrics.figures` and written as PNG and PDF."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from hm_metrics import definitions
from hm_metrics.definitions import AT_K, DEFINITIONS, GLOBAL, LOCAL
from hm_metrics.figures import (
    along_alpha_figure,
    frontier_figure,
    pass_at_k_figure,
    refusal_figure,
    save,
    similarity_figure,
    stages_figure,
)
from hm_metrics.judged_definitions import FULFILLMENT, OVER_REFUSAL, UNSAFE_COMPLIANCE
from hm_metrics.report import distributions
from hm_metrics.report.leaderboard import ks_of, main_number, top_k
from hm_metrics.report.page import PageFigure
from hm_metrics.report.protocol import comparable
from hm_metrics.report.rows import Row
from hm_models.shown.escaping import one_line

DRAWN = ("pass", "plus_only_pass")  # of AT_K, as in the paper's text and its figure 5
OF_ANSWERS = ("pass", "maj")  # of tasks that wrap another
# Title, caption, file's name, and how it is drawn.
Drawing = tuple[str, str, str, Callable[[], Figure]]
# Which similarity, and what its distribution is over.
SIMILAR: dict[str, tuple[Literal["local", "global"], str]] = {
    LOCAL: ("local", "questions"),
    GLOBAL: ("global", "a fixed random draw of pairs of questions"),
}

# What a judge found: its axis of a frontier, and what its file's name ends with.
JUDGED = {FULFILLMENT: "", OVER_REFUSAL: "_over_refusal", UNSAFE_COMPLIANCE: "_unsafe_compliance"}


def draw(
    rows: Sequence[Row], folder: Path, problems: list[str], more: Iterable[Drawing] = ()
) -> list[PageFigure]:
    """Draw what the rows have, write it into a folder, and return it for the page.

    Args:
        more: what else is to be drawn, after that.
        problems: gets a sentence for each figure that cannot be drawn, which is left out then.
    """
    found = []
    for title, caption, name, make in itertools.chain(drawings(rows), more):
        try:
            save(make(), folder, name)
            png = (folder / f"{name}.png").read_bytes()
        except Exception as error:  # whatever matplotlib raises must not cost the report
            what = one_line(f"{type(error).__name__}: {error}")
            problems.append(f"The figure {title!r} could not be drawn ({what}).")
            continue
        found.append(PageFigure(title, caption, png, f"{folder.name}/{name}.pdf"))
    return found


def drawings(rows: Sequence[Row]) -> Iterator[Drawing]:
    """What the rows have to be drawn, task by task."""
    tasks = list(dict.fromkeys(task for row in rows for task in row.values))
    sampled = [task for task in tasks if main_number(rows, task)]
    refusals = [task for task in tasks if any(FULFILLMENT in r.values.get(task, {}) for r in rows)]
    contrasts = [
        task for task in tasks if any(OVER_REFUSAL in r.values.get(task, {}) for r in rows)
    ]
    for task in sampled:
        of_task = [row for row in rows if task in row.values]
        starred, note = _starred(of_task, task)
        yield from _along_alpha(of_task, task)
        yield from _pass_at_k(starred, task, note)
        yield from _similarities(starred, task, note)
        ks = sorted({k for row in of_task for k in ks_of(row, task)})
        at_k = [f"pass@{k}" for k in (ks[0], top_k(ks))] if ks else []
        shown = dict.fromkeys(at_k or [main_number(of_task, task)])
        yield from _stages(of_task, task, [*shown, *SIMILAR])
        yield from _frontiers(of_task, task, [*refusals, *contrasts])
    for task in refusals:
        of_task = [row for row in rows if task in row.values]
        yield from _stages(of_task, task, [FULFILLMENT])
        found = DEFINITIONS[FULFILLMENT]
        words = f"{found.words} The mean over all answers in brackets."
        yield from _by_category(of_task, task, "Failure to refuse by category", words, found.axis)
    for task in contrasts:
        yield from _contrasts([row for row in rows if task in row.values], task)


def _contrasts(rows: Sequence[Row], task: str) -> Iterator[Drawing]:
    """Both rates of XSTest against each other, and both by type of prompt."""
    over, unsafe = DEFINITIONS[OVER_REFUSAL], DEFINITIONS[UNSAFE_COMPLIANCE]
    yield from _stages(rows, task, [OVER_REFUSAL, UNSAFE_COMPLIANCE])
    both = [row for row in rows if {OVER_REFUSAL, UNSAFE_COMPLIANCE} <= row.values[task].keys()]
    alike, _, facts = _alike(both, [task])
    lines = distributions.frontier(alike, (task, UNSAFE_COMPLIANCE), (task, OVER_REFUSAL))
    if any(len(points) > 1 for points in lines.values()):
        yield (
            f"Over-refusal against unsafe compliance, {task}",
            f"{over.meaning} {unsafe.meaning} Each line goes over alpha, or over the temperature of the "
            "instruct model. Down and to the left is better on both. Bars: one standard error."
            + _without(facts),
            f"contrast_{as_file(task)}",
            partial(frontier_figure, lines, unsafe.axis, over.axis, y_lower=True),
        )
    words = f"Of safe types: {over.meaning} Of types that begin with contrast_: {unsafe.meaning} "
    words += "Lower is better in both."
    shade = f"{over.title}, or {unsafe.title} (lower is better)"
    yield from _by_category(rows, task, "Refusals by type of prompt", words, shade)


def _by_category(
    rows: Sequence[Row], task: str, title: str, words: str, shade: str
) -> Iterator[Drawing]:
    starred, note = _starred(rows, task)
    columns, means, families = distributions.categories(starred, task)
    if columns:
        yield (
            f"{title}, {task}",
            f"{words} Grey: no scored answer.{note}",
            f"refusals_{as_file(task)}",
            partial(refusal_figure, columns, means, families, shade),
        )


def _alike(rows: Sequence[Row], tasks: Sequence[str]) -> tuple[list[Row], set[str], list[str]]:
    """The rows measured as most are, the ids of the others, and the facts in which these differ."""
    alike, others = comparable(rows, lambda row: [row.facts[task] for task in tasks])
    facts = sorted({fact for _, found in others for fact in found})
    return alike, {row.point.id for row, _ in others}, facts


def _without(facts: Sequence[str]) -> str:
    return f" Left out: rows of another {' and '.join(facts)}." if facts else ""


def _starred(rows: Sequence[Row], task: str) -> tuple[list[Row], str]:
    """The rows, with a star on those that were measured in another way; and what the star means."""
    _, others, facts = _alike(rows, [task])
    starred = [
        dataclasses.replace(row, point=dataclasses.replace(row.point, label=f"{row.point.label} *"))
        if row.point.id in others
        else row
        for row in rows
    ]
    return starred, f" * measured otherwise: {', '.join(facts)}." if facts else ""


def what_counts(rows: Sequence[Row], task: str, prefix: str = "pass") -> str:
    """What makes a sample of a task right, in a few words."""
    headline = next((h for row in rows if (h := row.point.runs[task].headline)), None)
    return one_line(f"{headline.metric} of {task}") if headline else AT_K[prefix].correct


def _along_alpha(rows: Sequence[Row], task: str) -> Iterator[Drawing]:
    """What going back costs and brings, for whoever looks at one picture alone."""
    ks = sorted({k for row in rows for k in ks_of(row, task)})
    shown = sorted({1, 5, 10, *([top_k(ks)] if ks else [])}.intersection(ks))
    _, others, facts = _alike(rows, [task])
    # A base that is asked by completion is ranked with its merges, yet differs in more than weights.
    styles = [row.facts[task].get("prompt style") for row in rows]
    odd = {
        row.point.id for row, s in zip(rows, styles, strict=True) if styles.count(s) * 2 < len(rows)
    }
    others, facts = others | odd, [*facts, *(["prompt style"] if odd else [])]
    shares = distributions.along_alpha(rows, task, [f"pass@{k}" for k in shown], others)
    similar = distributions.along_alpha(rows, task, list(SIMILAR), others)
    if shares:
        counting = what_counts(rows, task)
        yield (
            f"pass@k and similarity against alpha, {task}",
            f"A sample counts as correct when it passes: {counting}. Bands: one standard error over questions."
            + (f" Hollow: measured otherwise ({', '.join(facts)})." if facts else ""),
            f"along_alpha_{as_file(task)}",
            partial(
                along_alpha_figure,
                {family: (lines, similar.get(family, [])) for family, lines in shares.items()},
                counting,
            ),
        )


def _pass_at_k(rows: Sequence[Row], task: str, note: str) -> Iterator[Drawing]:
    headline = next((h for row in rows if (h := row.point.runs[task].headline)), None)
    for prefix in OF_ANSWERS if headline else DRAWN:
        counting = what_counts(rows, task, prefix)
        if headline:
            words = f"A sample is right as the wrapped task says, by its {counting}. "
        else:
            words = f"A sample counts as correct when it passes the {counting}. "
        number = "maj@k" if prefix == "maj" else "pass@k"
        if prefix == "maj":
            words += f"{definitions.OF_ANSWERS[prefix].meaning.format(k='k')} "
        if families := distributions.curves(rows, task, prefix):
            paper = any(curve.dotted for found in families.values() for curve in found)
            yield (
                f"{number} against k, {task}, {counting}",
                f"{words}Bands: one standard error over questions."
                + (" Dotted: the paper's values, counted in the same way." if paper else "")
                + note,
                f"pass_at_k_{as_file(task)}_{prefix}",
                partial(pass_at_k_figure, families, counting, number),
            )


def _similarities(rows: Sequence[Row], task: str, note: str) -> Iterator[Drawing]:
    for metric, (word, over) in SIMILAR.items():
        if families := distributions.similarities(rows, task, metric):
            how = sorted({row.embedded[task].how for row in rows if task in row.embedded})
            yield (
                f"{word.capitalize()} similarity, {task}",
                f"{DEFINITIONS[metric].words} Over {over}. Vectors: {', '.join(how)}."
                + (" Different embedders do not compare." if len(how) > 1 else "")
                + note,
                f"{word}_similarity_{as_file(task)}",
                partial(similarity_figure, families, word, distributions.alphas(rows)),
            )


def _stages(rows: Sequence[Row], task: str, metrics: Sequence[str]) -> Iterator[Drawing]:
    alike, _, facts = _alike(rows, [task])
    for metric in metrics:
        if maps := distributions.over_stages(alike, task, metric):
            known = definitions.of(metric)
            better = known.higher_is_better if known else None
            title = "" if known and known.title else metric
            label = f"{title}{known.axis if known else ''}"
            side = {True: "highest", False: "lowest", None: "best"}[better]
            yield (
                f"{metric.replace('_', ' ')} by stage and alpha, {task}",
                f"{known.words if known else ''} Each row is a stage that the base was taken from; alpha "
                f"1 is the same model for all. Outlined: the {side}; whether it is more than chance, the "
                "table of differences tells." + _without(facts),
                f"stages_{as_file(task)}_{as_file(metric)}",
                partial(stages_figure, maps, label, better),
            )


def _frontiers(rows: Sequence[Row], task: str, judged: Sequence[str]) -> Iterator[Drawing]:
    number = main_number(rows, task)
    axes = [(task, metric, DEFINITIONS[metric].axis, metric) for metric in SIMILAR]
    for other in judged:
        axes += [
            (other, name, f"{DEFINITIONS[name].axis}, {other}", f"{as_file(other)}{end}")
            for name, end in JUDGED.items()
            if any(name in row.values.get(other, {}) for row in rows)
        ]
    for of, metric, label, name in axes:
        measured = [row for row in rows if metric in row.values.get(of, {})]
        alike, _, facts = _alike(measured, list(dict.fromkeys([task, of])))
        lines = distributions.frontier(alike, (of, metric), (task, number))
        if any(len(points) > 1 for points in lines.values()):
            yield (
                f"{number} of {task} against {metric.replace('_', ' ')}",
                "Each line goes over alpha, or over samplers of the instruct model. Up and "
                "to the left is better on both. Bars: one standard error." + _without(facts),
                f"frontier_{as_file(task)}_{name}",
                partial(frontier_figure, lines, label, f"{number} of {task}"),
            )


def as_file(name: str) -> str:
    """A name that a file may have."""
    return re.sub(r"[^\w.-]+", "_", name)
