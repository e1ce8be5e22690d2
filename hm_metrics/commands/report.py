"""From result folders to an answer: one page that opens offline, a leaderboard, and the figures.

    hm-report runs/quickstart/sweep --output_path report
    hm-report OUT --output_path report --select "pass@10 subject to fulfillment_rate<=0.35"
    hm-report OUT --output_path report --export eee --export inspect --developer my-lab

RESULTS are folders (searched with all below them) or results_*.json files, of this plugin or of the
plain harness. Run with --log_samples: only samples tell whether a difference is real. Writes
report.html, leaderboard.csv, leaderboard.md and figures/ (PNG and PDF). Similarities are measured with
the offline embedder for runs that used it; those of other embedders are shown as the results state them,
since no embedder that a file names is ever asked. --embedder names one for all, `none` leaves vectors
out. The exit code is 1 if something that was given could not be used, which is said; the rest is
reported none the less.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hm_models.commands.command_line import CommandLine
from hm_models.shown.screen import say


def run(asked: argparse.Namespace) -> int:
    from hm_metrics.report.build import ReportSettings, build
    from hm_metrics.report.runs import NothingToReport
    from hm_metrics.report.vectors import NONE
    from hm_models.embedders import make_embedder

    settings = ReportSettings(
        paths=asked.results,
        output=asked.output_path,
        embedder=asked.embedder,
        embedder_base_url=asked.embedder_base_url,
        select=asked.select,
        with_requests=asked.with_requests,
        quiet=asked.quiet,
        exports=tuple(dict.fromkeys(asked.export)),
        developer=asked.developer,
        baseline=asked.baseline,
    )
    if asked.embedder not in (None, NONE):
        make_embedder(asked.embedder, asked.embedder_base_url)
    try:
        report = build(settings)
    except NothingToReport as error:
        say(f"hm-report: {error}", sys.stderr)
        return 1
    if not asked.quiet:
        for line in (*report.summary, *(f"Note: {note}" for note in report.notes)):
            say(line)
        page = asked.output_path / "report.html"
        say(f"Wrote {len(report.files)} files; open {page} in a browser.")
    for problem in report.problems:
        say(f"hm-report: {problem}", sys.stderr)
    return 1 if report.problems else 0


def main() -> int:
    command = CommandLine("hm-report", __doc__)
    command.add_argument("results", type=Path, nargs="+", help="result folders or results_*.json")
    command.add_argument(
        "--output_path", type=Path, required=True, metavar="OUT", help="folder to write into"
    )
    command.add_argument(
        "--select", default="", metavar="RULE", help='"pass@10 subject to fulfillment_rate<=0.35"'
    )
    command.add_argument(
        "--baseline", default="", metavar="ROW", help="compare with this row (alpha 1 of each pair)"
    )
    command.add_embedder(None, "or none (minilm, for runs that used it)")
    command.add_argument(
        "--with_requests",
        action="store_true",
        help="put SORRY-Bench's requests and the answers into the page, which you may not pass on then",
    )
    command.add_argument(
        "--export",
        action="append",
        choices=("eee", "inspect"),
        default=[],
        help="also write records of Every Eval Ever, or logs for `inspect view` (may be repeated)",
    )
    command.add_argument(
        "--developer",
        default="",
        metavar="NAME",
        help="for --export: whose the merges and the checkpoints in folders are",
    )
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
