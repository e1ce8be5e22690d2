"""Judge logged answers to SORRY-Bench, compare judges, print rates by category; nothing is generated.

    hm-judge OUT/*/samples_sorry_bench_*.jsonl                        # a table of the logs' verdicts
    hm-judge OUT/*/samples_sorry_bench_*.jsonl --judge gpt-4.1        # another judge
    hm-judge SAMPLES --judge my-judge --judge_base_url http://localhost:8000/v1
    hm-judge --agreement HUMAN.jsonl --judge gpt-4.1-mini             # a judge against people
    hm-judge SAMPLES --agreement SAMPLES_judged_by_gpt-4.1.jsonl      # two judges

SAMPLES are logs of the harness (--log_samples). With --judge their answers are judged anew, verdicts
that are kept are not asked for again, and SAMPLES_judged_by_JUDGE.jsonl is written beside each: scores,
no text of the data set. Without it the verdicts in the logs count. --agreement compares them with the
scores in another file: a log, a file of hm-judge, or SORRY-Bench's human judgments, whose own answers
are judged where no SAMPLES are given. The exit code is 1 if more than --max_unscored of the answers
have no score.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hm_metrics.commands.log_files import short_names
from hm_models.commands.command_line import CommandLine
from hm_models.errors import UsageError
from hm_models.shown.screen import say
from hm_tasks.sorry_bench.categories import RELEASES

if TYPE_CHECKING:
    from hm_metrics.logs.labelled import Labelled
    from hm_tasks.judges.settings import JudgeSettings

SETTINGS: dict[str, tuple[type, Any, str]] = {
    "judge_base_url": (str, None, "endpoint (OPENAI_BASE_URL, else OpenAI's own)"),
    "judge_prompts": (str, None, "FILE:NAME of SORRY-Bench's judge_prompts.jsonl (our rubric)"),
    "judge_concurrency": (int, 16, "calls in flight (16)"),
    "judge_timeout_s": (float, 60.0, "deadline of each try (60)"),
    "judge_limit": (int, None, "most answers to send to the judge (all)"),
    "max_unscored": (float, 0.05, "share of unscored answers that is accepted (0.05)"),
}


def judged(
    answers: list[Labelled], settings: JudgeSettings, version: str, quiet: bool
) -> list[Labelled]:
    """The same answers with the verdicts of this judge."""
    from hm_tasks.judges.judging import judge_all
    from hm_tasks.sorry_bench.completed import with_requests

    if any(answer.answer is None for answer in answers):
        raise UsageError("A file of hm-judge holds no answers to judge; name the harness's log.")
    complete = with_requests(answers, version)
    pairs = [(a.request or "", _answer(a)) for a in complete]
    found = judge_all(pairs, settings, quiet=quiet)
    return [
        dataclasses.replace(answer, judgment=judgment)
        for answer, judgment in zip(complete, found, strict=True)
    ]


def _answer(item: Labelled) -> str | None:
    """What is judged: nothing where the model was cut off within its thought."""
    from hm_metrics.judgment import UNFINISHED
    from hm_models.samples.thoughts import answer_of

    unfinished = item.judgment is not None and item.judgment.unscored == UNFINISHED
    return None if unfinished else answer_of(item.answer or "")


def compare(answers: list[Labelled], other: list[Labelled], first: str, second: str) -> str:
    """How the verdicts on `answers` agree with those of the same answers in `other`."""
    from hm_metrics.agreement import agreement, disputed
    from hm_tasks.sorry_bench.tables import agreement_table

    labels = {item.key: item.score for item in other}
    pairs = [
        (answer.category, answer.score, label)
        for answer in answers
        if answer.score is not None and (label := labels.get(answer.key)) is not None
    ]
    if not pairs:
        raise UsageError(
            f"No answer of {first} has a score in {second}: they match by question, style and text."
        )
    categories, ours, theirs = map(list, zip(*pairs, strict=True))
    worst = disputed(ours, theirs, categories)
    table = agreement_table(agreement(ours, theirs), first, second, worst)
    return f"{table}\n\nleft out, for want of one of the two scores: {len(answers) - len(pairs)}"


def run(asked: argparse.Namespace) -> int:
    from hm_metrics.logs.labelled import read_labelled, write_labelled
    from hm_tasks.judges.keyword import UNFAITHFUL
    from hm_tasks.judges.settings import JudgeSettings
    from hm_tasks.sorry_bench.rubric import FULFILMENT
    from hm_tasks.sorry_bench.tables import items_of, rates_table, write_rates

    settings = JudgeSettings.of(vars(asked), FULFILMENT) if asked.judge else None
    other = read_labelled(asked.agreement) if asked.agreement else []
    files: list[Path] = asked.samples or [asked.agreement]
    if not asked.samples and not (other and settings):
        raise UsageError(
            "Name SAMPLES, or --agreement HUMAN.jsonl with the --judge that is to be compared."
        )
    found: dict[Path, list[Labelled]] = {}
    for file in files:
        found[file] = read_labelled(file)
        if settings:
            found[file] = judged(found[file], settings, asked.dataset_version, asked.quiet)
            name = re.sub(r"[^\w.-]+", "_", settings.judge)
            output = file.with_name(f"{file.stem}_judged_by_{name}.jsonl")
            write_labelled(found[file], settings.identity(), output)
            if not asked.quiet:
                say(f"Wrote {output}")
    everything = [answer for answers in found.values() for answer in answers]
    columns = {name: items_of(found[file]) for name, file in short_names(files).items()}
    if asked.table:
        write_rates(columns, asked.table)
    if not asked.quiet:
        say(rates_table(columns))
        if any(answer.judgment and answer.judgment.by == "phrases" for answer in everything):
            say(f"\n{UNFAITHFUL}.")
    if other:
        ours = asked.judge or "log"
        say("\n" + compare(everything, other, ours, asked.agreement.name))
    return report_unscored(found, asked.max_unscored)


def report_unscored(found: dict[Path, list[Labelled]], most: float) -> int:
    """The exit code; says on stderr which file has too many."""
    from hm_metrics.judgment import reasons

    code = 0
    for file, answers in found.items():
        unscored = sum(answer.score is None for answer in answers)
        if unscored > most * len(answers):
            why = reasons([answer.judgment for answer in answers if answer.judgment])
            text = ", ".join(f"{reason} {count}" for reason, count in why.most_common() if reason)
            say(
                f"{file}: {unscored} of {len(answers)} answers have no score ({text or 'not judged'}). "
                "The same command again asks only for these.",
                sys.stderr,
            )
            code = 1
    return code


def main() -> int:
    command = CommandLine("hm-judge", __doc__)
    command.add_argument("samples", type=Path, nargs="*", help="samples_sorry_bench*.jsonl")
    command.add_argument("--judge", help="a model, or keyword (the verdicts in the logs)")
    for name, (kind, default, what) in SETTINGS.items():
        command.add_argument(f"--{name}", type=kind, default=default, help=what)
    command.add_argument("--agreement", type=Path, metavar="FILE", help="scores to compare with")
    command.add_argument(
        "--dataset_version", default="202503", choices=list(RELEASES), help="of human judgments"
    )
    command.add_argument("--table", type=Path, metavar="CSV", help="rates by log and category")
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
