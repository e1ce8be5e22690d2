"""A set by a portfolio: how many samples of each log it draws, as `hm-sweep --portfolio` splits a budget.

    sources, told = drawn(sources, k=8, seed=0)

The split over alphas and samplers is that of `hm_metrics.report.portfolios`, from the verdicts in the logs.
What is drawn is verified anew, as all samples are.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from hm_metrics.logs.results import find_runs
from hm_metrics.logs.results_file import LOG, results_beside
from hm_metrics.report.points import join
from hm_metrics.report.portfolios import portfolios
from hm_metrics.report.rows import make_rows
from hm_tasks.curation.draw import Draw
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.sources import SampleFile


def drawn(
    sources: list[SampleFile], k: int | None, seed: int
) -> tuple[list[SampleFile], list[dict[str, Any]]]:
    """The sources, each with its draw; and of each family and task what it was split by, as plain JSON.

    Args:
        k: samples of each question, of all rows of a family together; None: all samples of all sources.

    Raises:
        CurationError: a log that is no row among others of the same questions, or k above what these have.
    """
    if k is None:
        return sources, []
    paths = [source.path.resolve() for source in sources]
    results = dict.fromkeys(results_beside(path) for path in paths if LOG.fullmatch(path.name))
    runs = [run for run in find_runs(list(results)).runs if run.samples in paths]
    rows = make_rows(join(runs), "none", quiet=True).rows
    spent: dict[Path, int] = {}
    told = []
    for one in portfolios(rows, k):
        if one.result is None or one.left_out:
            why = one.why_not or f"not measured as the other rows are: {'; '.join(one.left_out)}."
            raise CurationError(f"--portfolio {k}: {one.family}, {one.task}: {why}")
        ours = {row.point.label: row for row in rows if row.point.family == one.family}
        split = dict(zip(one.rows, one.result.split, strict=True))
        spent |= {ours[label].logs[one.task].file: samples for label, samples in split.items()}
        about = {"family": one.family, "task": one.task, "k": k, "seed": seed}
        told.append(about | {"split": split, "solved": round(one.result.value, 6)})
    if alone := [path for path in paths if path not in spent]:
        raise CurationError(
            f"--portfolio {k}: {alone[0]} is no row that shares a budget with others. It needs its "
            "results_*.json beside it, samples whose right ones are counted, and beside it another alpha or "
            "sampler of the same pair and task. Leave it or --portfolio out."
        )
    with_draws = [
        dataclasses.replace(source, draw=Draw(spent[path], seed))
        for source, path in zip(sources, paths, strict=True)
    ]
    return with_draws, told
