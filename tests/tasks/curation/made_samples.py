"""Real demo problems, and logs of samples for them as the harness writes them."""

import json
from pathlib import Path

from hm_metrics.verdict import Verdict
from hm_tasks.code_passk.benchmarks import FOLDER, source_of
from hm_tasks.code_passk.dataset import load_problems
from hm_tasks.sandbox.problem import Problem

STAMP = "2026-01-01T00-00-00.000000"


def demo(count: int = 4) -> list[Problem]:
    return load_problems(source_of("demo"), FOLDER)[0][:count]


def variants(problem: Problem) -> list[str]:
    """Three right programs, which differ, and two wrong ones."""
    right = problem.canonical_solution.strip()
    name, head = problem.entry_point, right.split("\n", 1)[0]
    renamed = right.replace(f"def {name}", "def helper", 1)
    called = head.split("(", 1)[1].rsplit(")", 1)[0]
    return [
        right,
        f"{renamed}\n\ndef {name}(*given):\n    answers = [helper(*given)]\n    return answers[0]",
        f"{renamed}\n\ndef {name}({called}):\n    result = helper({called})\n    return result",
        f"{head}\n    return None",
        f"{head}\n    raise ValueError('never')",
    ]


def line(problem: Problem, texts: list[str], number: int = 0) -> str:
    """A line as lm_eval 0.4.13 logs a pass@k task; its verdicts are false, and must not be believed."""
    verdicts = [str(Verdict(text, "pass", "pass").record()) for text in texts]
    return json.dumps(
        {
            "doc_id": number,
            "doc": {"task_id": problem.task_id, "prompt": problem.prompt},
            "arguments": {
                "gen_args_0": {
                    "arg_0": f"<user>{problem.prompt}",
                    "arg_1": {"do_sample": True, "temperature": 0.7, "until": ["x"]},
                }
            },
            "resps": [texts],
            "filtered_resps": [verdicts],
            "filter": "scored",
        }
    )


def results(alpha: float | None) -> str:
    """What the harness writes beside, of a merge or of a plain model."""
    merge = {"base": "org/base", "instruct": "org/instruct", "alpha": alpha, "fingerprint": "f00"}
    merge |= {"merge_method": "linear", "merge_dtype": "float32", "merge_params": {}}
    config = {"model": "hm-merged", "merge": merge, "sampling": {"seed": 3}, "versions": {"v": "1"}}
    if alpha is None:
        config = {"model": "hf", "model_args": "pretrained=org/plain"}
    task = {"generation_kwargs": {"temperature": 0.7}}
    name = "org__plain" if alpha is None else f"base--instruct--alpha{alpha}"
    return json.dumps({"config": config, "configs": {"demo_passk": task}, "model_name": name})


def run_folder(folder: Path, alpha: float | None = 0.7, count: int = 4) -> Path:
    """A run's folder with a log and its results; returns the log."""
    folder.mkdir(parents=True)
    (folder / f"results_{STAMP}.json").write_text(results(alpha))
    log = folder / f"samples_demo_passk_{STAMP}.jsonl"
    lines = [line(problem, variants(problem), n) for n, problem in enumerate(demo(count))]
    log.write_text("\n".join(lines) + "\n")
    return log
