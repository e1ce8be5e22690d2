"""A run with one harness, and the same with another from the same store: the same samples, numbers and files.

`HM_OTHER_PYTHON` names the Python of an environment with another harness; scripts/test_harness.sh sets it.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

OTHER = os.environ.get("HM_OTHER_PYTHON")
pytestmark = pytest.mark.skipif(not OTHER, reason="HM_OTHER_PYTHON names no other environment")

COUNTS = ("generated", "reused")
# What says when, where and with which harness a run was.
RUN_FACTS = ("date", "total_evaluation_time_seconds", "git_hash", "pretty_env_info")
TASKS = ("demo_passk", "demo_math_passk", "choice", "whole", "said")
TEXT = {"doc_to_text": "{{question}}", "doc_to_target": "{{answer}}"}
KINDS = {
    "choice": TEXT | {"output_type": "multiple_choice", "doc_to_choice": ["w1", "w2", "w3"]},
    "whole": TEXT | {"output_type": "loglikelihood_rolling", "doc_to_target": "{{question}}"},
    "said": TEXT
    | {
        "output_type": "generate_until",
        "doc_to_target": "{{question}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean"}],
    },
}


@pytest.fixture(scope="module")
def both(base, instruct, tmp_path_factory):
    """The folders that the other harness and this one have written, in this order."""
    folder = tmp_path_factory.mktemp("two")
    lines = [{"question": f"w{n} w{n + 1}", "answer": n} for n in range(3)]
    (folder / "docs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "tasks").mkdir()
    for name, kind in KINDS.items():
        data = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(folder / "docs.jsonl")}},
            "test_split": "test",
        }
        (folder / "tasks" / f"{name}.yaml").write_text(json.dumps(data | kind))
    for python in (str(OTHER), sys.executable):
        command = [python, "-m", "lm_eval", "run", "--model", "hm-merged"]
        command += ["--model_args", f"base={base}", f"instruct={instruct}", "alpha=0.7"]
        command += ["backend=hf", "--tasks", ",".join(TASKS), "--limit", "3"]
        command += ["--metadata", '{"n_samples": 3, "k": [1, 3], "diversity": ["token_entropy"]}']
        command += ["--gen_kwargs", "max_gen_toks=12", "--include_path", str(folder / "tasks")]
        command += ["--confirm_run_unsafe_code", "--log_samples"]
        out = folder / ("other" if python == OTHER else "this")
        done = subprocess.run(
            [*command, "--output_path", str(out)],
            env=os.environ | {"HM_CACHE": str(folder / "cache")},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stderr[-4000:]
    return folder / "other", folder / "this"


def files(folder: Path) -> dict[str, Path]:
    """The files of a run by their names without the time."""
    return {
        re.sub(r"_\d{4}-.*(?=\.json)", "", str(file.relative_to(folder))): file
        for file in folder.rglob("*.json*")
    }


def results(folder: Path) -> dict:
    (file,) = folder.rglob("results_*.json")
    return json.loads(file.read_text())


def test_the_same_files_are_there(both):
    other, this = map(files, both)
    assert len(this) == 1 + len(TASKS)
    assert this.keys() == other.keys()


def test_every_sample_of_the_other_run_is_used_again(both):
    other, this = (results(folder)["results"] for folder in both)
    for task, filters in (("demo_passk", "scored"), ("demo_math_passk", "none")):
        name = next(key for key in this[task] if key.startswith("reused,"))
        assert this[task][name] == 9
        assert this[task][name.replace("reused", "generated")] == 0
        assert other[task][name] == 0, filters


def test_the_numbers_are_the_same(both):
    other, this = (results(folder)["results"] for folder in both)
    assert this.keys() == other.keys()
    for task in TASKS:
        numbers = [
            {
                key: value
                for key, value in found[task].items()
                if key.partition(",")[0].removesuffix("_stderr") not in COUNTS
            }
            for found in (other, this)
        ]
        # 0.4.13 gives perplexities no standard error, 0.5 resamples them.
        unknown = {key for found in numbers for key, value in found.items() if value == "N/A"}
        assert not unknown or task == "whole"
        assert all("_stderr," in key for key in unknown)
        assert numbers[0].keys() == numbers[1].keys()
        assert {key for key in numbers[0] if numbers[0][key] != numbers[1][key]} <= unknown


def test_the_samples_of_every_task_are_the_same(both):
    other, this = map(files, both)
    for name in this:
        if not Path(name).name.startswith("samples_"):
            continue
        logged = [
            [json.loads(line) for line in found[name].read_text().splitlines()]
            for found in (other, this)
        ]
        assert [line["resps"] for line in logged[0]] == [line["resps"] for line in logged[1]] or (
            "whole" in name  # a pair in 0.5, a number in 0.4
        )
        for old, new in zip(*logged, strict=True):
            assert old["doc"] == new["doc"]
            assert old["target"] == new["target"] or "whole" in name  # 0.5 has none of these
            if "passk" in name:
                assert old["filtered_resps"] == new["filtered_resps"]


def test_rolling_likelihoods_are_found_again_and_are_the_same(both):
    def scores(folder):
        (file,) = folder.rglob("samples_whole_*.jsonl")
        lines = [json.loads(line)["resps"] for line in file.read_text().splitlines()]
        return [
            float(line[0][0][0] if isinstance(line[0][0], list) else line[0][0]) for line in lines
        ]

    assert scores(both[0]) == scores(both[1])
