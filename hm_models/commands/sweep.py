"""Run a pair (or several) at several alphas, methods and samplers: each point an lm_eval run.

    hm-sweep configs/demo.yaml --output_path runs/sweep
    hm-sweep configs/llama-3.1-8b.yaml --output_path OUT --alphas 0,0.7,1 --dry-run
    hm-sweep --base B --instruct I --tasks mbppplus_passk --output_path OUT

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

from hm_models.commands.command_line import INTERRUPTED, CommandLine
from hm_models.sweep.flags import add_flags, merged_settings

AGAIN = "The same command again goes on where this one was."


def run(asked: argparse.Namespace) -> int:
    from lm_eval.utils import setup_logging

    from hm_models.plugin.once_for_all import once_for_all
    from hm_models.sweep.config import SweepError, read_config
    from hm_models.sweep.ending import Terminated, ending_in_order
    from hm_models.sweep.manifest import Manifest
    from hm_models.sweep.preflight import check
    from hm_models.sweep.runners import LocalRunner, PointRunner, process_runners, ray_runners
    from hm_models.sweep.sweep import Sweep, to_stderr

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
                print(sweep.plan(asked.tokens_per_second))
            for problem in preflight.problems:
                to_stderr(problem)
            if preflight.problems:
                to_stderr("Nothing was run.")
                return 2
            if asked.dry_run:
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
            return 1 if failed else 0
    except Terminated as ended:
        to_stderr(f"Ended by {ended}. {AGAIN}")
        return ended.exit_code
    except KeyboardInterrupt:
        to_stderr(f"Interrupted. {AGAIN}")
        return INTERRUPTED


def main() -> int:
    command = CommandLine("hm-sweep", __doc__)
    add_flags(command)
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
