"""An inner task of the tests' own, sums with two filters; and a model that says what it is told."""

import json
from pathlib import Path

import yaml
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

import hm_tasks.any_passk

OURS = Path(hm_tasks.any_passk.__file__).parent
QUESTIONS = {"1 + 1": "2", "2 + 3": "5", "4 + 8": "12", "1 / 2": "0.5"}
STRICT = [
    {"function": "regex", "regex_pattern": r"The answer is (\-?[0-9./]+)\."},
    {"function": "take_first"},
]
LAST = [
    {"function": "regex", "group_select": -1, "regex_pattern": r"(-?[0-9]+(?:[./][0-9]+)?)"},
    {"function": "take_first"},
]


def write(folder: Path, name: str = "sums", **more: object) -> Path:
    """Write the task into a folder; `more` is what differs in its YAML."""
    data = folder / "sums.jsonl"
    docs = [{"question": f"What is {q}?", "answer": a} for q, a in QUESTIONS.items()]
    data.write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    config = {
        "task": name,
        "output_type": "generate_until",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "doc_to_text": "Q: {{question}}\nA:",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n\n"], "do_sample": False, "max_gen_toks": 64},
        "filter_list": [
            {"name": "strict", "filter": STRICT},
            {"name": "last", "filter": LAST},
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 3.0},
    }
    kept = {key: value for key, value in (config | more).items() if value is not None}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(kept))
    return folder


def manager(folder: Path, **metadata: object) -> TaskManager:
    """One that knows the tasks in the folder and ours that wrap them, not the harness's thousands."""
    return TaskManager(
        include_path=[str(OURS), str(folder)], include_defaults=False, metadata=metadata
    )


class Told(LM):
    """Answers each prompt with the answers told for the question in it, one after the other."""

    def __init__(self, told: dict[str, list[str]]) -> None:
        super().__init__()
        self.told, self.asked = told, []

    def generate_until(self, requests, disable_tqdm=False):
        given = dict.fromkeys(self.told, 0)
        answers = []
        for request in requests:
            self.asked.append(request)
            question = max((q for q in self.told if q in request.args[0]), key=len)
            answers.append(self.told[question][given[question]])
            given[question] += 1
        return answers

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood
