"""Score programs without generating any.

    hm-score OUT/base--instruct--alpha0.7/samples_mbppplus_passk_2026-01-01T00-00-00.jsonl
    hm-score samples.jsonl --dataset humaneval --k 1,10
    hm-score samples.jsonl --dataset my_problems.jsonl

SAMPLES is the harness's log of a task of this project or of its own humaneval and mbpp tasks, evalplus's
samples.jsonl, either packed by gzip, or a folder of programs in evalplus's layout. Prints pass@k on the
base tests, on base and extra tests, and on the extra tests alone, and writes SAMPLES_eval_results.json
in evalplus's format. --export FILE writes the programs for `evalplus.evaluate --samples FILE` in place of
scoring them. Lines and files that cannot be used are named and left out, and the exit code is 1 then,
as where too few samples have a verdict.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hm_metrics.commands.log_files import stem_of
from hm_metrics.verdict import UNSCORED, Verdict
from hm_models.commands.command_line import CommandLine
from hm_models.shown.screen import say
from hm_tasks.code_passk.benchmarks import BENCHMARKS, FOLDER, source_of
from hm_tasks.commands.sandbox_arguments import add_sandbox, place_of

Verdicts = Mapping[str, Sequence[Verdict]]  # of each problem
TESTS = {
    "base": "base_pass",
    "base + extra": "pass",
    "extra alone": "plus_only_pass",
}  # to prefixes
PART = "*"  # on numbers of a part of the benchmark
NAMED = 20  # lines that were left out and are named one by one


def ks_of(text: str) -> list[int]:
    """`1,10` as numbers above 0."""
    ks = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if min(ks) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers above 0, as 1,10")
    return sorted(set(ks))


def scored_of(verdicts: Verdicts) -> dict[str, list[Verdict]]:
    """Of each problem those with a verdict on both kinds of tests."""
    return {task: [v for v in found if v.is_scored] for task, found in verdicts.items()}


def no_value(verdicts: Verdicts) -> str:
    """Why there is no pass@k at all; empty where there is."""
    from hm_metrics.unscored import in_place_of_rate

    total = sum(map(len, verdicts.values()))
    return in_place_of_rate(total - sum(map(len, scored_of(verdicts).values())), total) or ""


def table(verdicts: Verdicts, ks: list[int], problems: int) -> str:
    """pass@k by kind of tests; a k that some problem has too few scored samples for is left out.

    Args:
        problems: how many the data set has; numbers of fewer are marked.
    """
    from hm_metrics.definitions import AT_K
    from hm_metrics.pass_at_k import pass_at_k

    scored, why_not = scored_of(verdicts), no_value(verdicts)
    fewest = min(map(len, scored.values()))
    shown = [k for k in ks if k <= fewest]
    is_part = len(verdicts) < problems
    mark = PART if is_part else ""
    lines = ["tests         " + "".join(f"{f'pass@{k}{mark}':>10}" for k in shown)]
    for name, prefix in TESTS.items():
        is_correct = AT_K[prefix].is_correct
        cells = []
        for k in shown:
            values = [pass_at_k(len(v), sum(map(is_correct, v)), k) for v in scored.values()]
            cells.append(UNSCORED if why_not else f"{sum(values) / len(values):.3f}")
        lines.append(f"{name:<14}" + "".join(f"{cell:>10}" for cell in cells))
    total = sum(map(len, verdicts.values()))
    counted = f"{len(verdicts)} of {problems}" if is_part else f"{problems}"
    lines.append(
        f"{counted} problems, {total} programs, {total - sum(map(len, scored.values()))} unscored"
    )
    if is_part:
        lines.append(f"{PART} a part of the benchmark alone: {counted} problems")
    if why_not:
        lines.append(f"no value, since too few have a verdict ({why_not})")
    if left := [k for k in ks if k > fewest]:
        lines.append(f"no pass@{left[0]}: a problem has {fewest} scored programs")
    return "\n".join(lines)


def default_output(samples: Path) -> Path:
    """Where results go: beside a file, into a folder."""
    if samples.is_dir():
        return samples / "eval_results.json"
    return samples.with_name(f"{stem_of(samples)}_eval_results.json")


def tell_left_out(left_out: list[str]) -> None:
    """Each on a line of stderr, as far as that helps anybody."""
    for sentence in left_out[:NAMED]:
        say(f"hm-score: left out: {sentence}", sys.stderr)
    if len(left_out) > NAMED:
        say(f"hm-score: left out: {len(left_out) - NAMED} more", sys.stderr)


def run(asked: argparse.Namespace) -> int:
    from hm_tasks.code_passk.dataset import load_problems
    from hm_tasks.code_passk.solutions import read_solutions, write_results, write_solutions
    from hm_tasks.sandbox.pool import Scorer

    left_out: list[str] = []
    known, digest = load_problems(source_of(asked.dataset), FOLDER)
    problems = {problem.task_id: problem for problem in known}
    programs = read_solutions(asked.samples, problems, left_out)
    tell_left_out(left_out)
    if asked.export:
        write_solutions(programs, asked.export)
        return 1 if left_out else 0
    place = place_of(asked)
    with Scorer(place.open(), sanitize=False) as scorer:
        found = scorer.verdicts([(problems[task], texts) for task, texts in programs.items()])
    verdicts = dict(zip(programs, found, strict=True))
    output = asked.output or default_output(asked.samples)
    write_results(verdicts, digest, output, left_out, len(problems))
    if not asked.quiet:
        say(table(verdicts, asked.k, len(problems)))
        say(f"isolation: {place.level}. Results: {output}")
    return 1 if left_out or no_value(verdicts) else 0


def main() -> int:
    command = CommandLine("hm-score", __doc__)
    command.add_argument("samples", type=Path)
    command.add_argument(
        "--dataset", default="mbpp", help=f"{', '.join(BENCHMARKS)} or a file (mbpp)"
    )
    command.add_argument("--k", type=ks_of, default=[1, 10], help="which pass@k to print (1,10)")
    add_sandbox(command)
    command.add_argument("--output", type=Path, help="results file (SAMPLES_eval_results.json)")
    command.add_argument("--export", type=Path, metavar="FILE", help="write programs for evalplus")
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
