"""hm-cache: what is kept is listed, planned with, exported and removed, by the model that made it."""

import json
from pathlib import Path

import pytest

from hm_models.merged import HindsightMerged
from tests.entry_points import run
from tests.instances import instance
from tests.models.tiny import tiny_checkpoint

ASKED = {"until": [], "do_sample": True, "temperature": 1.0, "max_gen_toks": 4}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    return [tiny_checkpoint(folder / name, seed) for seed, name in enumerate(("base", "instruct"))]


@pytest.fixture(scope="module")
def file(pair, tmp_path_factory):
    """Five samples at alpha 0.7 and three at 0.9."""
    file = tmp_path_factory.mktemp("kept") / "samples"
    for alpha, n in ((0.7, 5), (0.9, 3)):
        lm = HindsightMerged(
            base=str(pair[0]), instruct=str(pair[1]), alpha=alpha, backend="hf", device="cpu"
        )
        lm.keep_samples_in(file)
        request = instance("generate_until", {}, ("w1 w2", ASKED), 0, metadata=("a_task", 0, n))
        lm.generate_until([request] * n, disable_tqdm=True)
    return file


def hm_cache(*words, ok=True):
    done = run("hm-cache", *words)
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout if ok else done.stderr


def test_what_is_kept_is_listed_by_model_and_task(file):
    said = hm_cache("--file", file, "list").splitlines()
    rows = [line.split() for line in said[1:-1]]
    assert [(row[1], row[2]) for row in rows] == [("a_task", "5"), ("a_task", "3")]
    assert "base instruct alpha=0.7 backend=hf" in said[1]
    assert said[-1].startswith("8 answers")


def test_a_models_samples_are_exported_whole_and_removed_alone(file, tmp_path):
    copy = tmp_path / "samples"
    for end in ("", "-wal"):  # the log too, where a model of the fixture still holds the file open
        if Path(f"{file}{end}").exists():
            Path(f"{copy}{end}").write_bytes(Path(f"{file}{end}").read_bytes())
    first, second = (
        line.split()[0] for line in hm_cache("--file", copy, "list").splitlines()[1:-1]
    )
    exported = [json.loads(line) for line in hm_cache("--file", copy, "export", first).splitlines()]
    assert [row["nth"] for row in exported] == [0, 1, 2, 3, 4]
    assert all(row["task"] == "a_task" and row["facts"]["tokens"] > 0 for row in exported)
    assert "removed 5 answers" in hm_cache("--file", copy, "remove", first)
    left = hm_cache("--file", copy, "list")
    assert second in left
    assert first not in left


@pytest.mark.usefixtures("our_tasks_alone")
def test_a_plan_says_what_a_run_would_reuse_without_loading_a_model(pair, tmp_path):
    arguments = f"base={pair[0]},instruct={pair[1]},alpha=0,backend=hf"
    plan = ("plan", "--model_args", arguments, "--tasks", "demo_passk", "--limit", "2")
    said = hm_cache("--file", tmp_path / "none", *plan, "--metadata", '{"n_samples": 10}')
    assert "demo_passk: 0 of 20 answers are kept, 20 to generate" in said


def test_what_cannot_be_found_is_named(file, tmp_path):
    assert "does not exist: no samples" in hm_cache("--file", tmp_path / "x", "list", ok=False)
    assert "'zz' is the beginning of 0 stored" in hm_cache("--file", file, "remove", "zz", ok=False)
    assert "is the beginning of 2 stored" in hm_cache("--file", file, "export", "", ok=False)
