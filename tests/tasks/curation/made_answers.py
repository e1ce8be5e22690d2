"""A run of a task that wraps another one, as the harness logs it: really asked, graded and written."""

import json
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import lm_eval
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from tests.tasks.any_passk.sums import Told, manager, write

SAID = {
    "1 + 1": [
        "I add one to one.\nThe answer is 2.",
        "The answer is 2.",
        "It is 2",
        "The answer is 3.",
    ],
    "2 + 3": ["The answer is 5.", "The answer is 6.", " The answer is 5.", "The answer is 5."],
    "4 + 8": ["I do not know", "", "The answer is 12.", "12 or 13"],
    "1 / 2": ["The answer is 1/2.", "The answer is 0.5.", "Half.", "The answer is 2."],
}
# By its scoring: how good is an answer that says how good it is?
SCORING = """
def score(doc, results):
    text = results[0]
    while "hang" in text:
        pass
    if "broken" in text:
        raise ValueError("a broken answer")
    return {"quality": float(text.split()[-1])}
"""
OWN = [{"metric": "quality", "aggregation": "mean", "higher_is_better": True}]


def write_scored(folder: Path, name: str = "scored", **more: object) -> Path:
    """Write an inner task with scoring of its own, which is no 0 or 1 and may hang or break down."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"filter_list": None, "metric_list": OWN} | more
    file = write(folder, name, **settings) / f"{name}.yaml"
    file.write_text(file.read_text() + "process_results: !function scoring.score\n")
    (folder / "scoring.py").write_text(SCORING)
    return folder


def run(tasks: Path, out: Path, said: dict[str, list[str]] = SAID, **metadata: object) -> Path:
    """Ask the inner task in a folder for the answers that are said; returns the log below `out`."""
    n = len(next(iter(said.values())))
    asked = {"passk_of": "sums", "n_samples": n, "k": [1], "diversity": []} | metadata
    return logged(Told(said), "any_passk", manager(tasks, **asked), out)


def logged(model: LM, task: str, task_manager: TaskManager, out: Path) -> Path:
    """Evaluate a model on a task; returns the log below `out`."""
    tracker = EvaluationTracker(output_path=str(out))
    with mock.patch("lm_eval.evaluator.add_env_info"):  # takes seconds
        found = lm_eval.simple_evaluate(
            model,
            tasks=[task],
            task_manager=task_manager,
            evaluation_tracker=tracker,
            bootstrap_iters=0,
        )
    ((name, samples),) = found["samples"].items()
    tracker.save_results_aggregated(found, found["samples"])
    tracker.save_results_samples(name, samples)
    (log,) = out.rglob("samples_*.jsonl")
    return log


def changed(file: Path, change: Callable[[dict], object]) -> None:
    """Change the JSON of a results file, or of each line of a log."""
    lines = file.read_text().splitlines() if file.suffix == ".jsonl" else [file.read_text()]
    values = [json.loads(line) for line in lines]
    for value in values:
        change(value)
    file.write_text("".join(json.dumps(value) + "\n" for value in values))
