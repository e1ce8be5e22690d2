"""Judge logged answers to SORRY-Bench or XSTest, compare judges, print rates; nothing is generated.

    hm-judge OUT/*/samples_sorry_bench_*.jsonl                        # a table of the logs' verdicts
    hm-judge OUT/*/samples_xstest_*.jsonl --judge gpt-4.1             # another judge
    hm-judge SAMPLES --judge my-judge --judge_base_url http://localhost:8000/v1
    hm-judge --agreement HUMAN.jsonl --judge gpt-4.1-mini             # a judge against people
    hm-judge SAMPLES --agreement SAMPLES_judged_by_gpt-4.1.jsonl      # two judges
    hm-judge LABELLED.csv.gz --agreement LABELLED.csv.gz:final_label  # each column against one

SAMPLES are logs of the harness (--log_samples). With --judge their answers are judged anew, verdicts
that are kept are not asked for again, and SAMPLES_judged_by_JUDGE.jsonl is written beside each: scores,
no text of the data set. Without it the verdicts in the logs count. --agreement compares them with the
scores in another file: a log, a file of hm-judge, SORRY-Bench's human judgments, or XSTest's published
completions_MODEL_labelled.csv (FILE:COLUMN; final_label), whose own answers are judged where no SAMPLES
are given. The exit code is 1 if more than --max_unscored of the answers have no score.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hm_metrics.commands.log_files import short_names, stem_of
from hm_metrics.unscored import MOST_UNSCORED
from hm_models.commands.command_line import CommandLine
from hm_models.errors import UsageError
from hm_models.settings import number
from hm_models.shown.screen import say
from hm_tasks.sorry_bench.categories import RELEASES

if TYPE_CHECKING:
    from hm_metrics.logs.labelled import Labelled
    from hm_tasks.judges.benchmark import Benchmark
    from hm_tasks.judges.settings import JudgeSettings

SETTINGS: dict[str, tuple[type, Any, str]] = {
    "judge_base_url": (str, None, "endpoint (OPENAI_BASE_URL, else OpenAI's own)"),
    "judge_prompts": (str, None, "FILE:NAME of SORRY-Bench's judge_prompts.jsonl (our rubric)"),
    "judge_concurrency": (int, 16, "calls in flight (16)"),
    "judge_timeout_s": (float, 60.0, "deadline of each try (60)"),
    "judge_limit": (int, None, "most answers to send to the judge (all)"),
    "max_unscored": (
        float,
        MOST_UNSCORED,
        f"share of unscored answers that is accepted ({MOST_UNSCORED})",
    ),
}


@dataclasses.dataclass(frozen=True)
class AnswerFile:
    """A file of answers; `column` of XSTest's published labels, empty for any other."""

    file: Path
    column: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.column}" if self.column else str(self.file)

    def read(self) -> list[Labelled]:
        from hm_metrics.logs.labelled import read_labelled
        from hm_metrics.logs.xstest_labels import read_labels

        return read_labels(self.file, self.column) if self.column else read_labelled(self.file)


def sources(text: str, columns: Sequence[str]) -> list[AnswerFile]:
    """What FILE or FILE:COLUMN names; of published labels without a column, all of `columns`."""
    from hm_metrics.logs.xstest_labels import is_csv, named

    file, column = named(text)
    if is_csv(file) and not column:
        return [AnswerFile(file, each) for each in columns]
    return [AnswerFile(file, column)]


def names_of(given: Sequence[AnswerFile]) -> dict[str, AnswerFile]:
    """What sources are called in a table: columns by their names, logs by their folders."""
    logs = short_names([source.file for source in given if not source.column])
    labels = [source for source in given if source.column]
    several = len({source.file for source in labels}) > 1
    columns = {str(each) if several else each.column: each for each in labels}
    return {name: AnswerFile(file) for name, file in logs.items()} | columns


def benchmark_of(answers: Sequence[Labelled]) -> Benchmark:
    """Whose answers they are.

    Raises:
        UsageError: some are of SORRY-Bench, and others of XSTest.
    """
    from hm_tasks.sorry_bench import tables as sorry_bench
    from hm_tasks.xstest import tables as xstest

    kinds = {bool(answer.label) for answer in answers}
    if len(kinds) > 1:
        raise UsageError("Some files are of SORRY-Bench, others of XSTest: name those of one.")
    return xstest.BENCHMARK if kinds == {True} else sorry_bench.BENCHMARK


def judged(
    answers: list[Labelled], settings: JudgeSettings, version: str, quiet: bool
) -> list[Labelled]:
    """The same answers with the verdicts of this judge."""
    from hm_tasks.judges.judging import judge_all
    from hm_tasks.sorry_bench.completed import with_requests

    if any(answer.answer is None for answer in answers):
        raise UsageError("A file of hm-judge holds no answers to judge; name the harness's log.")
    complete = with_requests(answers, version)  # of XSTest every file has its prompts
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


def run(asked: argparse.Namespace) -> int:
    from hm_metrics.logs.labelled import write_labelled
    from hm_metrics.logs.xstest_labels import COLUMNS, FINAL
    from hm_models.files.places import cache_folder
    from hm_tasks.judges.agreement import compare
    from hm_tasks.judges.keyword import UNFAITHFUL
    from hm_tasks.judges.settings import KEYWORD, JudgeSettings

    most = number(vars(asked), "max_unscored", least=0.0, most=1.0)
    others = sources(asked.agreement, [FINAL]) if asked.agreement else []
    if not asked.samples and not (others and asked.judge):
        raise UsageError(
            "Name SAMPLES, or --agreement HUMAN.jsonl with the --judge that is to be compared."
        )
    if asked.judge and asked.judge != KEYWORD:
        cache_folder()  # where verdicts are kept: said before long files are read
    columns = [FINAL] if asked.judge else COLUMNS  # a judge's verdicts do not depend on the labels
    given = [each for text in asked.samples for each in sources(text, columns)] or others
    names = names_of(given)
    found = {name: source.read() for name, source in names.items()}
    other = [answer for source in others for answer in source.read()]
    benchmark = benchmark_of([*other, *(a for answers in found.values() for a in answers)])
    if asked.judge:
        settings = JudgeSettings.of(vars(asked), benchmark.rubric)
        for name, source in names.items():
            found[name] = judged(found[name], settings, asked.dataset_version, asked.quiet)
            judge = re.sub(r"[^\w.-]+", "_", settings.judge)
            output = source.file.with_name(f"{stem_of(source.file)}_judged_by_{judge}.jsonl")
            write_labelled(found[name], settings.identity(), output)
            if not asked.quiet:
                say(f"Wrote {output}")
    if asked.table:
        benchmark.write(found, asked.table)
    if not asked.quiet:
        say(benchmark.table(found))
        everything = [answer for answers in found.values() for answer in answers]
        if any(answer.judgment and answer.judgment.by == "phrases" for answer in everything):
            say(f"\n{UNFAITHFUL}.")
    for source in others:
        second = source.column or source.file.name
        for first, answers in _compared(found, names, asked.judge, source).items():
            say("\n" + compare(answers, other, first, second, benchmark.rubric.names))
    return report_unscored({str(names[n]): a for n, a in found.items()}, most)


def _compared(
    found: Mapping[str, list[Labelled]],
    names: Mapping[str, AnswerFile],
    judge: str | None,
    other: AnswerFile,
) -> dict[str, list[Labelled]]:
    """Whose scores are compared: a judge's or the logs', all together; each column's by itself."""
    apart = {} if judge else {name: found[name] for name in found if names[name].column}
    together = [answer for name in found if name not in apart for answer in found[name]]
    apart = {name: answers for name, answers in apart.items() if names[name] != other}
    return ({judge or "log": together} if together else {}) | apart


def report_unscored(found: Mapping[str, list[Labelled]], most: float) -> int:
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
    command.add_argument(
        "samples", nargs="*", help="samples_sorry_bench*.jsonl or samples_xstest*.jsonl"
    )
    command.add_argument("--judge", help="a model, or keyword (the verdicts in the logs)")
    for name, (kind, default, what) in SETTINGS.items():
        command.add_argument(f"--{name}", type=kind, default=default, help=what)
    command.add_argument("--agreement", metavar="FILE", help="scores to compare with")
    command.add_argument(
        "--dataset_version",
        default="202503",
        choices=list(RELEASES),
        help="of SORRY-Bench's human judgments",
    )
    command.add_argument("--table", type=Path, metavar="CSV", help="rates by log and category")
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
