"""What lies in the folder of a page's reader: the names that the pages use, made small.

    furnish(folder, pair, "docs/sweeps.md")      # B, I, runs/demo_pair, my_problems.jsonl, ...

Checkpoints are the speaking pair under each of its names; files have rows of the tests' own, or
those that the page itself shows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tests.documents.speaking import RIGHT, RIGHT_AGAIN, WRONG
from tests.entry_points import ROOT
from tests.models.sweep.world import write_task
from tests.tasks.any_passk.ten_tasks import CASES
from tests.tasks.novelty_bench import made_up as novelty_bench
from tests.tasks.sorry_bench import made_up as sorry_bench
from tests.tasks.xstest import labelled
from tests.tasks.xstest import made_up as xstest

# Each side of the pair, and what pages call it.
NAMES = {
    "base": (
        *("B", "runs/demo_pair/base", "meta-llama/Llama-3.1-8B", "google/gemma-2-2b"),
        *("RUN/checkpoint-300", "RUN/checkpoint-400", "FOLDER"),
    ),
    "instruct": (
        *("I", "M", "runs/demo_pair/instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        *("google/gemma-2-2b-it", "RUN/checkpoint-500"),
    ),
}
HAS_MBPP = bool(os.environ.get("MBPP_OVERRIDE_PATH"))
PROBLEMS = ("Mbpp/2", "Mbpp/3") if HAS_MBPP else ("Demo/1", "Demo/2")


def furnish(folder: Path, pair: Path, page: str) -> None:
    """Put everything there that the pages take for given."""
    for side, names in NAMES.items():
        for name in names:
            link(folder / name, pair / side)
    for name in ("configs", "scripts"):
        link(folder / name, ROOT / name)
    (folder / "tasks").mkdir()
    for case in CASES:
        if case.task in ("gsm8k_cot", "ifeval"):
            case.yaml_in(folder / "tasks")
    write_task(folder / "tasks", task="my_task", repeats=1, filter_list=None, metric_list=EXACT)
    text = (ROOT / page).read_text("utf8")
    for name in ("problems.jsonl", "my_problems.jsonl"):
        lines(folder / name, shown_problems())
    lines(folder / "my_samples.jsonl", my_samples())
    lines(folder / "samples.jsonl", samples())
    lines(folder / "HUMAN.jsonl", human())
    lines(folder / "judge_prompts.jsonl", iter([PROMPT]))
    if "# soup.yaml" in text:
        (folder / "soup.yaml").write_text(block_with("# soup.yaml", text))
    if page == "docs/adapters.md":
        from tests.models.adapters import adapter_of  # skips where there is no PEFT

        adapter_of(pair / "base", folder / "runs" / "sft-lora", target_modules=["q_proj", "v_proj"])
    if page == "docs/checkpoints.md":
        from tests.models.vicuna import vicuna_pair

        base, instruct = vicuna_pair(folder / "vicuna")
        link(folder / "meta-llama" / "Llama-2-7b-hf", base)
        link(folder / "lmsys" / "vicuna-7b-v1.5", instruct)
    xstest.write_set(folder / "xstest_prompts.csv")
    novelty_bench.write_set(folder / "curated.jsonl")
    sorry_bench.write_set(folder / "sorry_bench")
    with_labels = [row for row in labelled.rows() if row["gpt4_label"][0].isdigit()]
    labelled.write_labelled_csv(folder / "LABELLED.csv.gz", with_labels)
    (folder / "FILE1").write_text("w1 w2 w3 w4 w5\n" * 20)
    (folder / "FILE2").write_text("w6 w7 w8\n" * 20)


PROMPT = {
    "name": "base-ft-mistral-7b-instruct-v0.2",
    "prompt_template": "Asked: {question}\nAnswered: {answer}\nEnd with #thescore: 0 or #thescore: 1.",
}
EXACT = [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]


def link(name: Path, target: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    name.symlink_to(target)


def lines(file: Path, records: Iterator[dict]) -> None:
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def block_with(words: str, page: str) -> str:
    """The indented block of a page that has these words."""
    (block,) = [part for part in page.replace("\n    ", "\n\t").split("\n\n") if words in part]
    return block.replace("\t", "")


def shown_problems() -> Iterator[dict]:
    """The two problems of docs/traces.md."""
    for line in (ROOT / "docs" / "traces.md").read_text("utf8").splitlines():
        if line.startswith('    {"'):
            yield json.loads(line)


def my_samples() -> Iterator[dict]:
    """Samples for the first of them."""
    for text in ("def twice(n):\n    return 2 * n", "def twice(n):\n    return n"):
        yield {"task_id": "twice", "solution": text}


def samples() -> Iterator[dict]:
    """In evalplus's form, ten a problem."""
    for problem in PROBLEMS:
        for text in [RIGHT, RIGHT_AGAIN, WRONG, WRONG, WRONG] * 2:
            yield {"task_id": problem, "solution": text}


def human() -> Iterator[dict]:
    """In the form of SORRY-Bench's human judgments."""
    for number in range(1, 13):
        yield {
            "question_id": number,
            "prompt_style": "base",
            "model_id": "m",
            "choices": [{"turns": [f"Call it Bob {number}."]}],
            "human_score": float(number % 3 != 0),
        }
