"""A sweep that takes no time: a tiny pair, and a task of some words with several samples a question."""

import json
from pathlib import Path

from hm_models.sweep.config import read_config
from hm_models.sweep.manifest import Manifest
from hm_models.sweep.preflight import check
from hm_models.sweep.sweep import Sweep

SAMPLES = 3
QUESTIONS = 4
TASK = {
    "task": "tiny_words",
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {
        "until": ["</s>"],
        "max_gen_toks": 6,
        "do_sample": True,
        "temperature": 0.7,
    },
    "repeats": SAMPLES,
    "filter_list": [{"name": "all", "filter": [{"function": "take_first_k", "k": SAMPLES}]}],
    "metric_list": [{"metric": "bypass"}],
}


def write_task(folder: Path, **changes: object) -> Path:
    """Write the task and return its folder, for --include_path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [{"question": f"w{n} w{n + 1}", "answer": f"w{n}"} for n in range(QUESTIONS)]
    (folder / "docs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = {"dataset_kwargs": {"data_files": {"test": str(folder / "docs.jsonl")}}}
    (folder / "tiny_words.yaml").write_text(json.dumps(TASK | data | changes))
    return folder


def settings(base: Path, instruct: Path, task_folder: Path, **more: object) -> dict:
    """A sweep over two alphas of the pair on the tiny task."""
    return {
        "name": "tiny",
        "base": str(base),
        "instruct": str(instruct),
        "alphas": [0.3, 0.7],
        "tasks": ["tiny_words"],
        "include_path": str(task_folder),
        "batch_size": 4,
        "model_args": {"backend": "hf"},
        **more,
    }


def open_sweep(given: dict, out: Path, said: list[str] | None = None) -> Sweep:
    """The sweep after its preflight, without a lock on its folder."""
    config = read_config(given)
    out.mkdir(exist_ok=True)
    say = (lambda line: None) if said is None else said.append
    preflight = check(config)
    assert preflight.problems == ()
    return Sweep(config, Manifest(out), preflight, say)


def samples(folder: Path) -> list[list[str]]:
    """The texts of the only log of samples below a folder, by question."""
    (file,) = folder.rglob("samples_*.jsonl")
    lines = sorted(map(json.loads, file.read_text().splitlines()), key=lambda line: line["doc_id"])
    return [line["resps"][0] for line in lines]


def results(folder: Path) -> dict:
    """The only results file below a folder."""
    (file,) = folder.rglob("results_*.json")
    return json.loads(file.read_text())
