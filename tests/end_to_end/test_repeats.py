"""What harness 0.5 brings, under `hm-merged`: `--repeats`, reductions of all samples, settings in a YAML."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import lm_eval
import pytest
from lm_eval.config.evaluate_config import EvaluatorConfig
from lm_eval.tasks import TaskManager

from hm_metrics.pass_at_k import pass_at_k
from hm_models.merged import HindsightMerged
from hm_models.settings import ProtocolError

HAS_REPEATS = "repeats" in {field.name for field in dataclasses.fields(EvaluatorConfig)}
pytestmark = pytest.mark.skipif(not HAS_REPEATS, reason="the harness has no --repeats (0.4)")


@pytest.fixture(autouse=True)
def own_cache(our_tasks_alone, tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "hm"))


def model(base, instruct, alpha=0.7):
    return HindsightMerged(base=str(base), instruct=str(instruct), alpha=alpha, backend="hf")


@pytest.fixture
def folder(tmp_path):
    """The task `first`, which is right where an answer begins with w: some samples of a tiny model do."""
    lines = [{"question": f"w{n} w{n + 1}", "answer": "w"} for n in range(4)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    task = {
        "task": "first",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "docs.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {
            **{"until": ["\n"], "max_gen_toks": 4, "do_sample": True},
            "temperature": 2.0,
        },
        "filter_list": [
            {
                "name": "first",
                "filter": [{"function": "regex", "regex_pattern": "^ *(w)[0-3]"}],
            }
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "reduction": "pass@k"}],
    }
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "first.yaml").write_text(json.dumps(task))
    return tmp_path


def run(lm, folder, **options):
    manager = TaskManager(include_path=str(folder / "tasks"), include_defaults=False)
    found = lm_eval.simple_evaluate(
        lm, tasks=["first"], task_manager=manager, bootstrap_iters=0, **options
    )
    texts = [sample["resps"][0] for sample in found["samples"]["first"]]
    return found["results"]["first"], found["samples"]["first"], texts


def test_repeats_are_kept_by_their_index_and_fewer_or_more_of_them_are_the_same(
    base, instruct, folder
):
    _, _, five = run(model(base, instruct), folder, repeats=5)
    assert [len(texts) for texts in five] == [5] * 4
    assert all(len(set(texts)) > 1 for texts in five), "each is drawn with a seed of its own"
    again = model(base, instruct)
    _, _, three = run(again, folder, repeats=3)
    assert three == [texts[:3] for texts in five]
    assert not again.engine.is_loaded
    _, _, seven = run(model(base, instruct), folder, repeats=7)
    assert [texts[:5] for texts in seven] == five


def test_a_reduction_sees_all_samples(base, instruct, folder):
    results, samples, _ = run(model(base, instruct, 0.2), folder, repeats=5)
    right = [
        sum(answer == "w" for answers in s["filtered_resps"] for answer in answers) for s in samples
    ]
    assert 0 < sum(right) < 20
    for k in (1, 3, 5):
        expected = sum(pass_at_k(5, c, k) for c in right) / 4
        assert results[f"pass@{k}(exact_match),first"] == pytest.approx(expected)


def test_a_task_of_ours_refuses_another_number_of_repeats_than_its_own(base, instruct):
    asked = {"metadata": {"n_samples": 2, "k": [1]}}
    ask = {"tasks": ["demo_passk"], "limit": 1, "bootstrap_iters": 0, **asked}
    with pytest.raises(ProtocolError, match=r'demo_passk asks 2 times.*"n_samples": 3'):
        lm_eval.simple_evaluate(model(base, instruct), repeats=3, **ask)


def test_a_yaml_of_settings_is_run_as_they_would_be_on_the_command_line(
    base, instruct, folder, monkeypatch
):
    settings = {
        "model": "hm-merged",
        "model_args": {"base": str(base), "instruct": str(instruct), "alpha": 0.7, "backend": "hf"},
        "tasks": ["first"],
        "include_path": str(folder / "tasks"),
        "include_defaults": False,
        "repeats": 3,
        "log_samples": True,
        "output_path": str(folder / "out"),
    }
    (folder / "run.yaml").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "lm_eval", "run", "--config", str(folder / "run.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    (file,) = Path(folder / "out" / "base--instruct--alpha0.7").glob("samples_first_*.jsonl")
    logged = [json.loads(line)["resps"][0] for line in file.read_text().splitlines()]
    asked_here = model(base, instruct)
    _, _, texts = run(asked_here, folder, repeats=3)
    assert logged == texts
    assert not asked_here.engine.is_loaded
