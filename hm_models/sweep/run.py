"""One point: the harness's own command-line code, in this process, with the live model.

    with LiveModel() as live:
        outcome = run_point(point.run_arguments(config, out), live)

What follows the parsing of `lm_eval run`'s arguments is not written again here: its results, samples,
loggers and tables are the harness's.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import os
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hm_models.sweep.live import LiveModel, Spent

# What the harness writes into a run's folder.
OUTPUTS = ("results_*.json", "samples_*.jsonl")

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        files: what it wrote, relative to its output_path.
        error: a sentence, or "" if it is done.
        seconds: all of it; `loading` and `generating` are parts of it.
        samples, tokens: generated in this run, kept ones not counted.
    """

    files: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0
    loading: float = 0.0
    generating: float = 0.0
    engines: int = 0
    samples: int = 0
    tokens: int = 0


def run_point(arguments: Mapping[str, Any], live: LiveModel, quiet: bool = False) -> Outcome:
    """Run `lm_eval run` with these settings (the harness's names); never raises for a failed run.

    Args:
        live: entered; a run that fails ends its engine, as nobody knows what state it is in.
        quiet: leave out what the harness prints.
    """
    from lm_eval._cli.run import Run

    folder = Path(arguments["output_path"])
    before, started = _outputs(folder), time.monotonic()
    spent = _spent(live)
    error = ""
    try:
        with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
            if quiet:
                stack.enter_context(contextlib.redirect_stdout(nowhere))
            # The harness changes what it is given.
            Run._execute(Namespace(**copy.deepcopy(dict(arguments))))
    except (Exception, SystemExit) as problem:
        logger.exception("The run in %s failed.", folder)
        error = f"{type(problem).__name__}: {problem}"
    files = tuple(str(file.relative_to(folder)) for file in sorted(_outputs(folder) - before))
    if not error and not any(Path(file).name.startswith("results_") for file in files):
        error = f"The harness wrote no results into {folder}."
    used = _since(spent, _spent(live))
    if error:
        _end_loggers()
        live.shut_down()
    return Outcome(files, error, time.monotonic() - started, **used)


def _outputs(folder: Path) -> set[Path]:
    return {file for pattern in OUTPUTS for file in folder.rglob(pattern)}


def _spent(live: LiveModel) -> tuple[LiveModel | None, Spent]:
    model = live.model
    return model, dataclasses.replace(model.spent) if model else Spent()  # type: ignore[return-value]


def _since(before: tuple[Any, Spent], now: tuple[Any, Spent]) -> dict[str, Any]:
    counted = dataclasses.asdict(now[1])
    if before[0] is now[0]:  # the same model goes on counting
        return {key: value - getattr(before[1], key) for key, value in counted.items()}
    return counted


def _end_loggers() -> None:
    """Close what a run that failed left open, or the next run would go on writing into it."""
    for name in ("wandb", "trackio"):
        module = sys.modules.get(name)
        with contextlib.suppress(Exception):
            if module is not None:
                module.finish()
