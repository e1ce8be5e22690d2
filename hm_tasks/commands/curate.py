"""From samples to training data: read, rewrite, verify, deduplicate, select, export.

    hm-curate runs/quickstart/sweep --output_path runs/curated
    hm-curate OUT/*/samples_mbppplus_passk_*.jsonl --output_path SET --max_samples 500 --select diverse
    hm-curate samples.jsonl --problems my_problems.jsonl --output_path SET --export openai
    hm-curate runs/sweep --output_path SET --portfolio 8             # 8 samples a question, split over alphas
    hm-curate --step select --max_samples 200 --output_path SET      # one step, on what is there

SAMPLES are the harness's logs (samples_*.jsonl of --log_samples), folders of such runs, or lines in
evalplus's form (task_id with solution or completion). Programs are run again in the sandbox, and answers to
the questions of any_passk are graded again by their own task, whatever a log says of them; of sorry_bench,
xstest and novelty_bench the label that the judge gave in the run counts. What cannot be
used is counted by kind in summary.json and stops nothing. A command that was killed goes on where it was;
docs/curation.md has the files and the options one by one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hm_models.commands.command_line import CommandLine
from hm_models.shown.screen import say
from hm_tasks.code_passk.benchmarks import BENCHMARKS
from hm_tasks.commands.sandbox_arguments import add_sandbox, place_of
from hm_tasks.curation.rewriting_settings import OPTIONS, RewriteSettings
from hm_tasks.curation.steps import OUTPUTS, SUMMARY

# What is left out on the command line is as `CurationSettings` has it.
SETTINGS = (
    *("problems", "most", "exports", "way", "seed", "near", "decontaminate"),
    *("include_path", "least_score", "with_requests", "portfolio"),
)


def run(asked: argparse.Namespace) -> int:
    from hm_tasks.curation.pipeline import Curation
    from hm_tasks.curation.settings import CurationSettings
    from hm_tasks.curation.summary import table

    settings = CurationSettings(
        samples=tuple(asked.samples),
        embedder=asked.embedder,
        embedder_base_url=asked.embedder_base_url,
        rewrite=RewriteSettings.of(vars(asked)) if asked.rewrite else None,
        **{name: value for name in SETTINGS if (value := getattr(asked, name)) is not None},
    )
    place = place_of(asked) if asked.step in (None, "verify") else None
    summary = Curation(settings, place, asked.quiet).run(asked.output_path, asked.step)
    if not asked.quiet:
        say(table(summary))
        say(f"Wrote {asked.output_path / SUMMARY}")
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def main() -> int:
    command = CommandLine("hm-curate", __doc__)
    names = ", ".join(BENCHMARKS)
    add = command.add_argument
    add("samples", type=Path, nargs="*", help="files and folders of samples")
    add("--output_path", type=Path, required=True, metavar="OUT")
    add("--problems", help=f"{names} or a file (what the samples' task names)")
    add("--max_samples", type=int, dest="most", metavar="N", help="how many to select (all)")
    add("--export", type=_names, dest="exports", help="a list (llamafactory,openai,hf)")
    add("--rewrite", metavar="MODEL", help="behind an OpenAI-compatible endpoint")
    for name, (kind, default, what) in OPTIONS.items():
        add(f"--{name}", type=kind, default=default, help=what)
    add("--select", dest="way", help="random, diverse or representative (random)")
    add("--seed", type=int, help="of the selection, and of what a portfolio draws (0)")
    what = (
        "draw K samples of each question, split over the alphas and samplers of the logs (take all)"
    )
    add("--portfolio", type=int, metavar="K", help=what)
    command.add_embedder("minilm", "(minilm)")
    add("--near", type=float, help="similarity of near-duplicates (0.85)")
    what = f"{names}, files, or none (every benchmark at hand that the samples do not answer)"
    add("--decontaminate", type=_names, metavar="LIST", help=what)
    add("--include_path", metavar="DIR", help="your own tasks, which any_passk has wrapped")
    add("--least_score", type=float, metavar="S", help="of a correct answer (1.0)")
    what = "take SORRY-Bench's requests, with which the set may not be passed on"
    add("--with_requests", action="store_true", help=what)
    add("--step", choices=OUTPUTS, help="do this one alone, again if it is done")
    add_sandbox(command)
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
