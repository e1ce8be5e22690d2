"""Run a pair (or several) at several alphas, methods and samplers: each point an lm_eval run.

    hm-sweep configs/demo.yaml --output_path runs/sweep
    hm-sweep llama-3.1-8b --output_path OUT --alphas 0,0.7,1 --dry-run       # a config that comes along
    hm-sweep --base B --instruct I --tasks mbppplus_passk --output_path OUT
    hm-sweep configs/demo.yaml --output_path OUT --dry-run --detect 0.03     # how much would show it?
    hm-sweep configs/demo.yaml --output_path OUT --portfolio 10              # how to spend 10 samples

One engine a pair and method serves all alphas. A sweep that is run again goes on where it was; a point
that fails is reported and the others go on. Exit code: 0 all points are done, 1 some failed, 2 nothing
was run, as something is wrong with what was asked, 128 + n ended by signal n. docs/sweeps.md has the rest.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hm_models.commands.command_line import INTERRUPTED, CommandLine
from hm_models.shown.screen import say
from hm_models.sweep.flags import add_flags, merged_settings

if TYPE_CHECKING:
    from hm_models.sweep.preflight import TaskSize

AGAIN = "The same command again goes on where this one was."


def run(asked: argparse.Namespace) -> int:
    from lm_eval.utils import setup_logging

    from hm_models.plugin.once_for_all import once_for_all
    from hm_models.sweep.config import SweepError, read_config
    from hm_models.sweep.ending import Terminated, ending_in_order, leave
    from hm_models.sweep.manifest import Manifest
    from hm_models.sweep.preflight import check
    from hm_models.sweep.runners import LocalRunner, PointRunner, process_runners, ray_runners
    from hm_models.sweep.sweep import Sweep, to_stderr

    if asked.detect is not None and not (asked.dry_run and 0.0 < asked.detect < 1.0):
        raise SweepError(
            f"--detect {asked.detect:g} says before a run what would show a difference: give it with "
            "--dry-run, and a number between 0 and 1."
        )
    if asked.portfolio is not None and (asked.portfolio < 1 or asked.output_path is None):
        raise SweepError(
            f"--portfolio {asked.portfolio} spends so many samples over the points in --output_path: expected "
            "a number from 1 on, and the folder."
        )
    if asked.output_path is None and not asked.dry_run:
        raise SweepError(
            "--output_path is missing: the folder for results, samples and sweep.json."
        )
    setup_logging()
    out = (asked.output_path or Path(os.devnull)).absolute()
    try:
        config = read_config(merged_settings(asked))
        with ExitStack() as stack:
            stack.enter_context(ending_in_order())
            stack.enter_context(once_for_all())
            manifest = Manifest(out) if asked.dry_run else stack.enter_context(Manifest.open(out))
            preflight = check(config, fetch=not asked.dry_run)
            tell = (lambda line: None) if asked.quiet else to_stderr
            sweep = Sweep(config, manifest, preflight, tell)
            if asked.dry_run:
                say(sweep.plan(asked.tokens_per_second))
            if asked.dry_run and asked.detect is not None:
                say(_detection(preflight.tasks, asked.detect, asked.output_path))
            for problem in preflight.problems:
                to_stderr(problem)
            if preflight.problems:
                to_stderr("Nothing was run.")
                return 2
            if asked.dry_run:
                _spend(asked)
                return 0
            runners: Sequence[PointRunner]
            if not sweep.left:
                runners = []
            elif asked.executor == "ray":
                runners = ray_runners(sweep.gpus, len(sweep.left))
            elif asked.devices:
                runners = process_runners(tuple(asked.devices.split(",")), sweep.gpus, out)
            else:
                runners = [LocalRunner(asked.quiet)]
            failed = sweep.run(runners)
            if failed or not asked.quiet:
                to_stderr(sweep.summary())
            _spend(asked)
            return 1 if failed else 0
    except Terminated as ended:
        to_stderr(f"Ended by {ended}. {AGAIN}")
        leave(ended.exit_code)
    except KeyboardInterrupt:
        to_stderr(f"Interrupted. {AGAIN}")
        leave(INTERRUPTED)


def _detection(tasks: Sequence[TaskSize], difference: float, folder: Path | None) -> str:
    from hm_metrics.report.detection import detection, rows_in

    return "\n".join(detection(tasks, difference, rows_in(folder)))


def _spend(asked: argparse.Namespace) -> None:
    """Print how to spend the samples of --portfolio over the points that are there."""
    if asked.portfolio is None:
        return
    from hm_metrics.report.detection import rows_in
    from hm_metrics.report.portfolios import portfolios

    found = portfolios(rows_in(asked.output_path), asked.portfolio)
    nothing = (
        f"No portfolio: {asked.output_path} has no two points with counted samples of one task."
    )
    for line in [one.sentence for one in found] or [nothing]:
        say(line)


def main() -> int:
    command = CommandLine("hm-sweep", __doc__)
    add_flags(command)
    command.add_argument(
        "--detect", type=float, metavar="D", help="with --dry-run: what shows a difference of D"
    )
    command.add_argument(
        "--portfolio", type=int, metavar="K", help="then say how to spend K samples over the points"
    )
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
