"""How diverse logged samples are: no model is loaded and nothing is generated or run.

    hm-diversity OUT/*/samples_mbppplus_passk_*.jsonl
    hm-diversity OUT/*/samples_*.jsonl --embedder openai:text-embedding-3-small@150 --measures all

SAMPLES are logs of the harness (--log_samples), of a pass@k task of this project or of any generate_until
task with `repeats`, whose raw texts then count. Of a task that wraps another, which has no programs,
distinct_answers stands in place of distinct_programs, for each of its filters. Prints a table, one column
a log, errors over questions; docs/diversity.md defines every measure. Vectors are kept, so that a second
run takes seconds. The exit code is 1 if a measure stayed unscored, or a log could not be read, which is
named and left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hm_metrics.commands.log_files import short_names
from hm_models.commands.command_line import CommandLine
from hm_models.shown.screen import say

if TYPE_CHECKING:
    from hm_metrics.logs.samples import Logged

Results = dict[str, list[Any]]  # of each measure its value and its standard error
DEFAULT = (
    "local_similarity,global_similarity,distinct_programs,distinct_correct_programs,"
    "distinct_behaviours"
)
DISTINCT_PROGRAMS = "distinct_programs"
# What a log of another task cannot tell: nobody has run or parsed its texts as programs.
OF_PROGRAMS = {
    DISTINCT_PROGRAMS,
    "distinct_correct_programs",
    "distinct_behaviours",
    "distinct_correct_behaviours",
}


def measured(log: list[Logged], settings: dict[str, Any]) -> tuple[Results, dict[str, Any]]:
    """The measures of a log, and how its texts were embedded."""
    from hm_metrics.aggregations import MAX_ITERATIONS
    from hm_metrics.logs.samples import one_a_question
    from hm_metrics.measures import LEFT_OUT, Diversity
    from hm_metrics.verdict import UNSCORED, Verdict

    questions = one_a_question(log)
    judged = all(item.verdicts for item in questions)
    metadata = settings | ({} if judged else {"embed": "text"})
    diversity = Diversity(metadata)
    verdicts = {
        item.question: item.verdicts or [Verdict(text, UNSCORED, UNSCORED) for text in item.texts]
        for item in questions
    }
    programs = {question: [v.program for v in found] for question, found in verdicts.items()}
    texts = {item.question: item.texts for item in questions}
    diversity.measure(programs if metadata["embed"] == "program" else texts)
    rows = [
        diversity.metrics(item.question, verdicts[item.question], entry_point=item.entry_point)
        for item in questions
    ]
    results: Results = {}
    for name, aggregate in diversity.aggregation().items():
        items = [row[name] for row in rows if name in row]
        if items and (judged or name not in OF_PROGRAMS):
            error = None if name == LEFT_OUT else aggregate.stderr(items, MAX_ITERATIONS)
            results[name] = [aggregate(items), error]
    if DISTINCT_PROGRAMS in settings["diversity"] or settings["diversity"] == "all":
        results |= _distinct_answers(log)
    return results, metadata.get("embedding", {})


def _distinct_answers(log: list[Logged]) -> Results:
    """Of a wrapped task, by filter; {} of others."""
    from hm_metrics.aggregations import Mean
    from hm_metrics.answer_names import DISTINCT
    from hm_metrics.answer_numbers import distinct_answers

    graded = [item for item in log if item.grades]
    filters = dict.fromkeys(item.filter for item in graded)
    results: Results = {}
    for name in filters:
        items = [float(distinct_answers(i.grades)) for i in graded if i.filter == name]
        key = f"{DISTINCT},{name}" if len(filters) > 1 else DISTINCT
        results[key] = [Mean()(items), Mean().stderr(items, 0)]
    return results


def read_logs(files: dict[str, Path]) -> tuple[dict[str, list[Logged]], list[str]]:
    """The logs that can be read, and a sentence on each of the others.

    Raises:
        LogError: none can be read.
    """
    from hm_metrics.logs.samples import LogError, read_log

    logs, left_out = {}, []
    for label, file in files.items():
        try:
            logs[label] = read_log(file)
        except LogError as error:
            left_out.append(str(error))
    if not logs:
        raise LogError(left_out[0])
    return logs, left_out


def table(found: dict[str, Results]) -> str:
    """Measures down, logs across, in Markdown."""
    from hm_models.shown.escaping import markdown_table

    names = list(dict.fromkeys(name for results in found.values() for name in results))
    rows = [["measure", *found], ["---"] * (1 + len(found))]
    rows += [[name, *(cell(results.get(name)) for results in found.values())] for name in names]
    return markdown_table(rows)


def cell(found: list[Any] | None) -> str:
    value, error = found or ("", None)
    shown = f"{value:.4f}" if isinstance(value, float) else str(value)
    return f"{shown} ± {error:.4f}" if isinstance(error, float) else shown


def run(asked: argparse.Namespace) -> int:
    from hm_metrics.measures import LEFT_OUT
    from hm_models.files.text_files import write_text

    settings = {
        "diversity": asked.measures if asked.measures == "all" else asked.measures.split(","),
        "embedder": asked.embedder,
        "embedder_base_url": asked.embedder_base_url,
        "embed": asked.embed,
    }
    logs, left_out = read_logs(short_names(asked.samples))
    found = {name: measured(log, settings) for name, log in logs.items()}
    for sentence in left_out:
        say(f"hm-diversity: left out: {sentence}", sys.stderr)
    results = {name: values for name, (values, _) in found.items()}
    embedding = {name: how for name, (_, how) in found.items()}
    if asked.output:
        content = json.dumps({"results": results, "embedding": embedding}, indent=1)
        write_text(asked.output, content)
    if not asked.quiet:
        say(table(results))
        say(f"{LEFT_OUT}: fewer than two samples with a vector; no local similarity.")
    for reason in {how["unscored"] for how in embedding.values() if "unscored" in how}:
        say(f"hm-diversity: the similarities are unscored. {reason}", sys.stderr)
    unscored = any(isinstance(value, str) for r in results.values() for value, _ in r.values())
    return 1 if unscored or left_out else 0


def main() -> int:
    command = CommandLine("hm-diversity", __doc__)
    command.add_argument("samples", type=Path, nargs="+", help="samples_*.jsonl of --log_samples")
    command.add_embedder("minilm", "(minilm)")
    command.add_argument("--embed", default="program", help="program or text (program)")
    command.add_argument("--measures", default=DEFAULT, help=f"all, or a list ({DEFAULT})")
    command.add_argument("--output", type=Path, metavar="FILE", help="write the table as JSON too")
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
