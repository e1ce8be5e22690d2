"""Time and memory of grading a wrapped task's samples, and what answers cost that hang a grader.

    python scripts/bench_grading.py gsm8k_test.jsonl.gz --cores 2

The file holds GSM8K's test problems, a JSON object with `question` and `answer` a line. To each, ten answers
are made: right and wrong ones in several forms, and some that no filter reads. They go through the filters of
the harness's gsm8k_cot and are grouped by their text and by math-verify. Then minerva_math500 grades ten
answers to each of ten invented problems, of which one hangs it; `beyond limits` counts those. Memory is the
sum of all processes' proportional shares (Pss), at its peak; `before` is the harness with the problems
loaded. Linux only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import Peak

SAID = (
    "So it is {right}. The answer is {right}.",
    "The answer is ${right}.",
    "The answer is {right}.00.",
    "{right} = \\frac{{{twice}}}{{2}}. The answer is {right}/1.",
    "I count {right}\n#### {right}",
    "The answer is {wrong}.",
    "The answer is {wrong}, or {twice}.",
    "\\boxed{{{right}}}",
    "No idea.",
    "The answer is -{wrong}.",
)
# Each hangs sympy or its parsers, some in one call that no signal handler interrupts.
HANGING = (
    "10^{10^{10}}",
    "(10^9)!",
    "1000000!",
    "((9!)!)!",
    "9^{9^{9^{9}}}",
    "(x+1)^{100000}-(x+2)^{99999}",
    "(a+b+c+d+e+f+g+h)^{40}",
    "\\binom{10^{8}}{5\\cdot10^{7}}",
    "3^{10^{12}} \\mod 7",
    "\\int_0^{1} \\sin(x^x) e^{x^5} \\ln(x+1) dx",
)
FINAL = "Final Answer: The final answer is ${}$. I hope it is correct."


def task_of(folder: Path, name: str, file: str, rows: Sequence[dict[str, str]]) -> Any:
    """The harness's task with rows of one's own."""
    import lm_eval.tasks

    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    theirs = {
        "include": str(Path(lm_eval.tasks.__file__).parent / file),
        "task": name,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(data)}},
    }
    (folder / f"{name}.yaml").write_text(json.dumps(theirs))
    manager = lm_eval.tasks.TaskManager(include_defaults=False, include_path=str(folder))
    return manager.load([name])["tasks"][name]


def gsm8k_answers(doc: dict[str, str]) -> list[str]:
    right = int(doc["answer"].rpartition("#### ")[2].replace(",", ""))
    return [said.format(right=right, twice=2 * right, wrong=right + 7) for said in SAID]


def grade(what: str, task: Any, filters: Sequence[str], samples: list[list[str]], by: str) -> float:
    """Grade all samples, print a row of the table, and return the seconds."""
    from hm_tasks.any_passk.grading import Grader
    from hm_tasks.any_passk.settings import Settings

    metrics = list(task.aggregation())
    before, began = Peak(), time.monotonic()
    docs, settings = list(task.eval_docs), Settings.of({"equal": by})
    with Grader(task, docs, filters, metrics, settings) as grader, Peak() as most:
        found = [graded for of in grader.grades(samples) for name in filters for graded in of[name]]
    seconds = time.monotonic() - began
    counts = Counter(graded.status for graded in found)
    counts["right"] = sum(graded.scores.get(metrics[0]) == 1 for graded in found)
    counts["compared beyond limits"] = grader.equality.get("beyond_limits", 0)
    row = [what, by, len(found) // len(filters)]
    row += [f"{seconds:.1f} s", f"{most.computed - before.computed:.1f} s"]
    row += [before.everything >> 10, most.everything >> 10]
    row += [", ".join(f"{n} {name}" for name, n in counts.items())]
    print("", *row, "", sep=" | ", flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help="GSM8K's test problems, .jsonl or .jsonl.gz")
    parser.add_argument("--cores", type=int, help="to use; by default all")
    arguments = parser.parse_args()
    if arguments.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    logging.disable(logging.WARNING)
    opened = gzip.open if arguments.file.suffix == ".gz" else open
    with opened(arguments.file, "rt", encoding="utf-8") as file:
        rows = [{key: json.loads(line)[key] for key in ("question", "answer")} for line in file]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gsm8k = task_of(folder, "gsm8k_cot", "gsm8k/gsm8k-cot.yaml", rows)
        samples = [gsm8k_answers(row) for row in rows]
        heads = ("task", "equal", "answers", "wall", "computing", "MiB before", "MiB at most", "")
        print("", *heads, "", sep=" | ")
        for by in ("text", "math"):
            grade("gsm8k_cot", gsm8k, ("strict-match", "flexible-extract"), samples, by)
        solved = [
            {"problem": f"What is {n} + {n}?", "solution": f"It is $\\boxed{{{2 * n}}}$."}
            for n in range(len(HANGING))
        ]
        minerva = task_of(folder, "minerva_math500", "minerva_math/minerva_math500.yaml", solved)
        calm = [[f"So\n{FINAL.format(2 * n + k)}" for k in range(9)] for n in range(len(HANGING))]
        hung = [[*nine, FINAL.format(one)] for nine, one in zip(calm, HANGING, strict=True)]
        without = grade("minerva_math500", minerva, ("none",), calm, "math")
        within = grade("minerva_math500, ten of them hang", minerva, ("none",), hung, "math")
        print(f"ten answers that hang a grader cost {within - without:.1f} s together")


if __name__ == "__main__":
    main()
